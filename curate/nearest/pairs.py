"""Pairs: all rows of a cell that are similar enough, by the exact cosine of their vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.nearest.vectors import Vectors

SCALE = 10_000
"""A similarity is a whole number of these parts of 1."""

LEVEL = 100
"""Thresholds are multiples of this part of `SCALE`: 0.01."""

MOST_PAIRS = 16
"""A row is noted with so many of the better rows that reach a threshold, for every threshold there can be."""

_ROWS, _COLUMNS = 1024, 4096
"""Dot products computed at once; with the two blocks of vectors about 30 MB."""


@dataclass(frozen=True)
class Cell:
    """Rows to be compared with each other, in keep order: vectors, salts (only equal ones are compared)."""

    vectors: Vectors
    salts: NDArray[np.int64]

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.salts)


@dataclass(frozen=True)
class Found:
    """Pairs of places in a cell (``a`` before ``b``) with their score in parts of `SCALE`, and pairs left out."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    score: NDArray[np.int64]
    left: int


@cache
def _loops() -> Any:
    return import_module("curate.nearest.loops")


def similar_pairs(cell: Cell, start: int, end: int, floor: int, leaders: int) -> Found:
    """Returns the similar pairs of the rows ``start`` to ``end`` with the rows before them, the first ``leaders`` at most."""
    wide = cell.vectors.astype(np.int64)
    length = np.sqrt((wide * wide).sum(axis=1).astype(np.float64))
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    levels = max(1, (SCALE - floor) // LEVEL + 1)
    found, left = [], 0
    for row in range(start, end, _ROWS):
        rows = cell.vectors[row : min(row + _ROWS, end)].astype(np.float32)
        counts = np.zeros((len(rows), levels), np.uint16)
        last = min(row + len(rows), leaders)
        for column in range(0, last, _COLUMNS):
            columns = cell.vectors[column : min(column + _COLUMNS, last)].astype(np.float32)
            dots = rows @ columns.T
            *pairs, more = _loops().noted(
                dots, inverse, cell.salts, row, column, floor, SCALE, LEVEL, MOST_PAIRS, counts
            )
            found.append(pairs)
            left += more
    b, a, score = (np.concatenate([np.empty(0, np.int64), *(f[i] for f in found)]) for i in range(3))
    return Found(a, b, score, left)
