"""The compiled copy of token spans out of mapped parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]


@njit(cache=True, nogil=True)
def copy_spans(values: Array, offsets: Array, rows: Array, places: Array, out: Array) -> None:
    """Copies ``values[offsets[r]:offsets[r + 1]]`` to ``out[places[k]:]`` for each row ``r = rows[k]``."""
    for k in range(rows.size):
        start, end = offsets[rows[k]], offsets[rows[k] + 1]
        out[places[k] : places[k] + end - start] = values[start:end]
