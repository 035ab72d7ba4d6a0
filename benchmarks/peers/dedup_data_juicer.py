"""data-juicer's document_minhash_deduplicator on the flattened text: characters, window 5, threshold 0.7, 128 permutations."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Writes the rows it keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--exact", action="store_true", help="document_deduplicator instead")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(dir=args.output.resolve().parent))
    near = {"tokenization": "character", "window_size": 5, "jaccard_threshold": 0.7, "num_permutations": 128}
    exact = {"document_deduplicator": {"lowercase": False, "ignore_non_character": False}}
    config = {
        "project_name": "dedup",
        "dataset_path": str(args.text.resolve()),
        "export_path": str(work / "kept.jsonl"),
        "np": 2,
        "open_tracer": False,
        "process": [exact if args.exact else {"document_minhash_deduplicator": near}],
    }
    path = work / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("dj-process")), "--config", str(path)]
    subprocess.run(command, check=True, stdout=sys.stderr, cwd=work)
    shutil.move(work / "kept.jsonl", args.output)
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
