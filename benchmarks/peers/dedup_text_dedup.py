"""text-dedup's MinHash command on the flattened text, its dataset written as JSON Lines; threshold 0.7, 128 permutations."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import datasets


def main() -> None:
    """Writes the rows it keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(dir=args.output.parent))
    given = {
        "path": "json",
        "data_files": args.text,
        "split": "train",
        "cache_dir": work / "cache",
        "output": work / "kept",
        "column": "text",
        "idx_column": "id",
        "num_proc": 2,
        "batch_size": 1000,
        "threshold": 0.7,
        "num_perm": 128,
        "hash_func": "xxh3",
        "hash_bits": 32,
    }
    options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", "text_dedup.minhash", *options], check=True, stdout=sys.stderr)
    datasets.disable_progress_bars()
    datasets.load_from_disk(str(work / "kept")).to_json(args.output)
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
