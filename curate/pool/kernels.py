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
