"""rensa's flat-buffer API, which takes hashed shingles from numpy: character 5-grams hashed without a string each.

Its LSH flags every row that meets another one in the same call, the first of them too, so rows go in by blocks of 2,000
and a pair inside one block loses both rows: that is what the API gives. With --rho it uses the sampling sketch and the
one call over everything that rensa's own benchmark times; there every duplicate loses its first row as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from chat_lines import read, write_kept
from rensa import RMinHash, RMinHashLSH

BLOCK = 2_000
PERMUTATIONS, BANDS, SEED = 128, 16, 42
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def hashes(texts: list[str]) -> tuple[Any, Any]:
    """Returns the hashes of all 5-grams (uint64) and where each text begins (n + 1)."""
    padded = [text if len(text) > 4 else text.ljust(5) for text in texts]
    counts = np.array([len(text) - 4 for text in padded])
    codes = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32).astype(np.uint64)
    rolled = np.zeros(codes.size - 4, np.uint64)
    with np.errstate(over="ignore"):
        for k in range(5):
            rolled = rolled * MULTIPLIER + codes[k : codes.size - 4 + k]
        rolled ^= rolled >> np.uint64(29)
        rolled *= np.uint64(0xBF58476D1CE4E5B9)
    starts = np.cumsum(counts + 4) - (counts + 4)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    at = np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])
    return rolled[at], offsets.astype(np.uint64)


def exact_matrices(path: Path) -> list[bool]:
    """Returns what is kept by full MinHash, block after block."""
    lsh = RMinHashLSH(threshold=0.7, num_perm=PERMUTATIONS, num_bands=BANDS)
    keep: list[bool] = []
    for texts in _blocks(path, BLOCK):
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(*hashes(texts), PERMUTATIONS, SEED)
        keep += [not flag for flag in lsh.insert_matrix_and_query_duplicate_flags(matrix, start_key=len(keep))]
    return keep


def rho(path: Path) -> list[bool]:
    """Returns what is kept by the rho sketch, all rows in one call."""
    parts, sizes = [], [np.zeros(1, np.int64)]
    for texts in _blocks(path, BLOCK):
        tokens, offsets = hashes(texts)
        parts.append(tokens)
        sizes.append(np.diff(offsets.astype(np.int64)))
    offsets = np.cumsum(np.concatenate(sizes)).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes_rho(np.concatenate(parts), offsets, PERMUTATIONS, SEED)
    lsh = RMinHashLSH(threshold=0.7, num_perm=PERMUTATIONS, num_bands=8)
    return [not flag for flag in lsh.query_duplicate_flags_matrix_one_shot(matrix)]


def _blocks(path: Path, size: int) -> Any:
    texts: list[str] = []
    for _, text in read(path):
        texts.append(text)
        if len(texts) == size:
            yield texts
            texts = []
    if texts:
        yield texts


def main() -> None:
    """Writes the rows it keeps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--rho", action="store_true")
    args = parser.parse_args()
    write_kept(args.rows, args.output, rho(args.rows) if args.rho else exact_matrices(args.rows))


if __name__ == "__main__":
    main()
