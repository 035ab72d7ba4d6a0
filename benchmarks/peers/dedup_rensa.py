"""rensa as its README shows it: RMinHashDeduplicator with LSH, fed with lists of strings, here character 5-grams."""

from __future__ import annotations

import argparse
from pathlib import Path

from chat_lines import five_grams, read, write_kept
from rensa import RMinHashDeduplicator


def main() -> None:
    """Writes the rows it keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    dedup = RMinHashDeduplicator(threshold=0.7, num_perm=128, use_lsh=True)
    pairs = ((str(i), five_grams(text)) for i, (_, text) in enumerate(read(args.rows)))
    write_kept(args.rows, args.output, dedup.add_pairs(pairs))


if __name__ == "__main__":
    main()
