"""The compiled copy of token spans out of mapped parts; numba is loaded with the first copy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@cache
def span_copier() -> Callable[[Array, Array, Array, Array, Array], None]:
    """Returns the compiled form of the loop below."""
    from numba import njit

    compiled: Callable[[Array, Array, Array, Array, Array], None] = njit(cache=True, nogil=True)(_copy_spans)
    return compiled


def _copy_spans(values: Array, offsets: Array, rows: Array, places: Array, out: Array) -> None:
    """Copies ``values[offsets[r]:offsets[r + 1]]`` to ``out[places[k]:]`` for each row ``r = rows[k]``."""
    for k in range(rows.size):
        start, end = offsets[rows[k]], offsets[rows[k] + 1]
        out[places[k] : places[k] + end - start] = values[start:end]


def load_span_copier() -> None:
    """Loads the compiled form for the arrays of a pool, which are mapped and read-only."""
    values, offsets = np.ones(1, np.int32), np.array([0, 1])
    values.flags.writeable = offsets.flags.writeable = False
    span_copier()(values, offsets, np.zeros(1, np.int64), np.zeros(1, np.int64), np.empty(1, np.int32))
