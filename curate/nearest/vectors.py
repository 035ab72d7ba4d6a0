"""Vectors: embeddings as small whole numbers, stored as the bytes of a binary column."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.arrow import column_of

Vectors = NDArray[np.int8]

LARGEST = 127
LONGEST = 4095
"""The length of a vector at most: a dot product and its partial sums then stay below 2**24, exact in 32-bit floats."""


def quantized(embeddings: NDArray[Any]) -> Vectors:
    """Returns embeddings (float[rows, size]) as int8, each scaled by itself; what has no direction becomes zeros.

    The cosine of two vectors of some hundred numbers changes by about 0.0005.
    """
    wide = embeddings.astype(np.float64)
    wide[~np.isfinite(wide).all(axis=1)] = 0
    peak = np.abs(wide).max(axis=1, initial=0)
    length = np.sqrt((wide * wide).sum(axis=1))
    scale = np.minimum(_over(LARGEST, peak), _over(LONGEST - np.sqrt(wide.shape[1]), length))
    return np.rint(wide * scale[:, None]).astype(np.int8)


def _over(number: float, by: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(number, by, out=np.zeros_like(by), where=by > 0)


def packed(vectors: Vectors) -> pl.Series:
    """Returns vectors as a binary column; zeros, which point nowhere, as null."""
    size = vectors.shape[1]
    data = vectors.tobytes()
    values = [data[at : at + size] for at in range(0, len(data), size)] if size else []
    nothing = np.flatnonzero(~vectors.any(axis=1))
    return pl.Series(values, dtype=pl.Binary).scatter(nothing, None)


def matrix(column: pl.Series) -> Vectors:
    """Returns a binary column without nulls as int8[rows, size]."""
    array = column_of(column.rechunk())
    if not len(array):
        return np.empty((0, 0), np.int8)
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    size = int(offsets[1] - offsets[0])
    return np.frombuffer(array.buffers()[2], np.int8)[int(offsets[0]) : int(offsets[-1])].reshape(-1, size)
