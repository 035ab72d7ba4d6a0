"""Digests of many texts: BLAKE2b of 128 bits over each, as a column of hex digits."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import series_of

DIGITS = 32

SHARE = 64
"""A text of more than one part in so many of all bytes keeps the compiled loop to itself, and is left out of it."""


def hex_digests(data: NDArray[np.uint8], bounds: NDArray[np.int64]) -> pl.Series:
    """Returns the digests of the texts that lie between ``bounds`` (n + 1) in ``data``, by a compiled loop."""
    from curate.blake2_loop import put_digests

    sizes = np.diff(bounds)
    order = np.argsort(-sizes, kind="stable")
    long = int(np.count_nonzero(sizes > data.size // SHARE))
    digits = np.empty((sizes.size, DIGITS), np.uint8)
    view = memoryview(data)
    for text in order[:long].tolist():
        digest = hashlib.blake2b(view[bounds[text] : bounds[text + 1]], digest_size=16).hexdigest()
        digits[text] = np.frombuffer(digest.encode(), np.uint8)
    if long < sizes.size:
        put_digests(data, bounds, order[long:], digits.reshape(-1))
    return hex_column(digits)


def hex_column(digits: NDArray[np.uint8]) -> pl.Series:
    """Returns a column of strings of `DIGITS` characters each over the same memory."""
    offsets = np.arange(0, digits.size + 1, DIGITS, np.int64)
    buffers: list[Any] = [None, pa.py_buffer(offsets), pa.py_buffer(digits)]
    return series_of(pa.Array.from_buffers(pa.large_string(), offsets.size - 1, buffers))
