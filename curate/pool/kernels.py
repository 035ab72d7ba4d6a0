"""The compiled copy of tokens and their labels out of mapped parts; numba is loaded with the first copy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from curate.shards.documents import IGNORED

Array = np.ndarray[Any, Any]


class Ragged(NamedTuple):
    """A list column: row ``r`` owns ``values[offsets[r]:offsets[r + 1]]``; of a column of bits counted in bits."""

    values: Array
    offsets: Array


@cache
def span_copier() -> Callable[[Ragged, Ragged, Array, Array, Array, Array], None]:
    """Returns the compiled form of the loop below."""
    from numba import njit

    compiled: Callable[[Ragged, Ragged, Array, Array, Array, Array], None] = njit(cache=True, nogil=True)(_copy_spans)
    return compiled


def _copy_spans(tokens: Ragged, mask: Ragged, rows: Array, places: Array, ids: Array, labels: Array) -> None:
    """Copies the tokens of each row ``rows[k]`` to ``ids[places[k]:]``, and to ``labels`` those whose bit is set."""
    for k in range(rows.size):
        start, end = tokens.offsets[rows[k]], tokens.offsets[rows[k] + 1]
        bit, place = mask.offsets[rows[k]], places[k]
        ids[place : place + end - start] = tokens.values[start:end]
        for t in range(end - start):
            trained = (mask.values[(bit + t) >> 3] >> ((bit + t) & 7)) & 1
            labels[place + t] = tokens.values[start + t] if trained else IGNORED


def load_span_copier() -> None:
    """Loads the compiled form for the arrays of a pool, which are mapped and read-only."""
    values, bits, offsets = np.ones(1, np.int32), np.ones(1, np.uint8), np.array([0, 1])
    for mapped in (values, bits, offsets):
        mapped.flags.writeable = False
    row, out = np.zeros(1, np.int64), np.empty((2, 1), np.int32)
    span_copier()(Ragged(values, offsets), Ragged(bits, offsets), row, row, out[0], out[1])
