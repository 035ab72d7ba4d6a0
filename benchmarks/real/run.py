"""Real data from raw files to packed shards: the table, whether it adds up, and a second run that does nothing.

python benchmarks/real/run.py --data DATA
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fill import filled, write

CURATE = Path(sys.executable).with_name("curate")


def main() -> None:
    """Runs the recipe twice and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data files")
    parser.add_argument("--tokenizer", type=Path, help="default: the recipe's")
    parser.add_argument("--work", type=Path, default=Path("out/real"), help="folder of recipe, store and output")
    args = parser.parse_args()
    work = args.work.resolve()
    recipe = write(filled(args.data, work, args.tokenizer), work)
    print(f"recipe: {recipe}\n")
    started = time.perf_counter()
    subprocess.run([CURATE, "run", recipe], check=True)
    print(f"\nfirst run: {time.perf_counter() - started:.1f} s")
    started = time.perf_counter()
    again = subprocess.run([CURATE, "run", recipe], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    print(f"second run: {seconds:.2f} s, {'nothing to do' if 'nothing to do' in again.stdout else 'IT WORKED AGAIN'}\n")
    told = subprocess.run([CURATE, "run", recipe, "--json", "--quiet"], check=True, capture_output=True, text=True)
    check(json.loads(told.stdout), recipe.parent / "out")
    subprocess.run([CURATE, "ledger", recipe.parent / "out"], check=True)


def check(report: dict[str, Any], output: Path) -> None:
    """Adds up every line of the table, and the shards against the table.

    Raises:
        SystemExit: when something is missing or too much.
    """
    for line in report["sources"]:
        lost = line["records"] - line["quarantined"] - line["left_out"] - line["read"]
        left = line["read"] + sum(line["changes"].values()) - line["rows"]
        if lost or left:
            raise SystemExit(f"{line['source']}: {lost} records and {left} rows are not accounted for")
    shards = json.loads((output / "manifest.json").read_text(encoding="utf-8"))["shards"]
    held = {part: sum(s["rows"] for s in files) for part, files in shards.items() if part != "train"}
    asked = sum(line["validation_rows"] for line in report["sources"])
    if sum(held.values()) != asked:
        raise SystemExit(f"validation shards hold {sum(held.values())} rows, the table says {asked}")
    trained = sum(s["trained_tokens"] for s in shards["train"])
    told = sum(line["packed_trained"] for line in report["sources"])
    if trained != told:
        raise SystemExit(f"training shards hold {trained} trained tokens, the table says {told}")
    print("the table adds up: records, rows, validation rows and trained tokens\n")


if __name__ == "__main__":
    main()
