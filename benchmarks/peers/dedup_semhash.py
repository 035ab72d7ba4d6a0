"""semhash's self_deduplicate over the turns' text, threshold 0.9, with a model of a local folder.

A folder of static embeddings is loaded by model2vec, any other by sentence-transformers (to be installed beside semhash then).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from chat_lines import read
from semhash import SemHash


def encoder(folder: Path) -> Any:
    """Returns the model of a folder, with the `encode` semhash asks for."""
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    if any(module["type"].endswith("StaticEmbedding") for module in modules):
        from model2vec import StaticModel

        return StaticModel.from_pretrained(folder)
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def main() -> None:
    """Writes the rows it keeps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.9)
    args = parser.parse_args()
    records = [{"text": text, "line": str(i)} for i, (_, text) in enumerate(read(args.rows))]
    dedup = SemHash.from_records(records, columns=["text"], model=encoder(args.model))
    kept = dedup.self_deduplicate(threshold=args.threshold).selected
    numbers = {int(record["line"]) for record in kept}
    with args.rows.open("rb") as lines, args.output.open("wb") as file:
        file.writelines(line for i, line in enumerate(lines) if i in numbers)


if __name__ == "__main__":
    main()
