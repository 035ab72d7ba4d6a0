"""datasketch's documented loop: a MinHash for each row, a query of the LSH, an insertion when nothing was found."""

from __future__ import annotations

import argparse
from pathlib import Path

from chat_lines import five_grams, read
from datasketch import MinHash, MinHashLSH


def main() -> None:
    """Writes the rows it keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    lsh = MinHashLSH(threshold=0.7, num_perm=128)
    with args.output.open("wb") as file:
        for i, (line, text) in enumerate(read(args.rows)):
            sketch = MinHash(num_perm=128)
            sketch.update_batch([gram.encode() for gram in set(five_grams(text))])
            if not lsh.query(sketch):
                lsh.insert(str(i), sketch)
                file.write(line)


if __name__ == "__main__":
    main()
