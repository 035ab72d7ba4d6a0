"""Digests of many texts: BLAKE2b of 128 bits over each, as hex digits and as a column of them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import column_of, series_of, text_bytes

DIGITS = 32

LEAST_COMPILED = 1 << 20
"""Bytes of texts from which on a compiled loop hashes them faster than it is loaded."""

SHARE = 64
"""A text of more than one part in so many of all bytes would keep the compiled loop to itself."""


def hex_digests(data: NDArray[np.uint8], bounds: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns the digits of the digests, a row for each, of the texts that lie between ``bounds`` (n + 1) in ``data``.

    Few texts, and long ones among many, are hashed one by one.
    """
    sizes = np.diff(bounds)
    digits = np.empty((sizes.size, DIGITS), np.uint8)
    order = np.argsort(-sizes, kind="stable")
    many = data.size >= LEAST_COMPILED
    alone = int(np.count_nonzero(sizes > data.size // SHARE)) if many else sizes.size
    for text in order[:alone].tolist():
        digest = hashlib.blake2b(data.data[bounds[text] : bounds[text + 1]], digest_size=16).hexdigest()
        digits[text] = np.frombuffer(digest.encode(), np.uint8)
    if many:
        from curate.blake2_loop import put_digests

        put_digests(data, bounds, order[alone:], digits)
    return digits


def hex_column(digits: NDArray[np.uint8]) -> pl.Series:
    """Returns a column of strings, one for each row of digits, over the same memory."""
    offsets = np.arange(len(digits) + 1, dtype=np.int64) * DIGITS
    buffers: list[Any] = [None, pa.py_buffer(offsets), pa.py_buffer(digits)]
    return series_of(pa.Array.from_buffers(pa.large_string(), offsets.size - 1, buffers))


def hex_digits(column: pl.Series) -> NDArray[np.uint8]:
    """Returns the rows of digits of a column of digests; the inverse of `hex_column`."""
    data, bounds = text_bytes(column_of(column.rechunk()))
    return data[bounds[0] : bounds[-1]].reshape(len(column), DIGITS)
