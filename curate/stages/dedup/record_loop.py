"""The compiled loop that puts what a row is compared by into one record of bytes, to be hashed."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit
from curate.utf8 import put_bytes

Array = np.ndarray[Any, Any]


@njit(cache=True, nogil=True)
def _number(out: Array, to: int, value: int) -> int:
    for byte in range(4):
        out[to + byte] = value >> (8 * byte) & 255
    return to + 4


@njit(cache=True, nogil=True)
def records(
    bounds: Array, roles: Array, said: Array, said_at: Array, more: Array, more_at: Array, heads: Array, heads_at: Array
) -> tuple[Array, Array]:
    """Returns the records of rows, one behind the other, and where each begins, and the last ends.

    Row r has the messages ``bounds[r]:bounds[r + 1]``: their number, then of each its role (uint8) and the lengths of
    its two texts, and then all ``said``, all ``more``, and the row's head. So no two rows have one record that differ.
    """
    rows = bounds.size - 1
    out = np.empty(said.size + more.size + heads.size + 9 * roles.size + 4 * rows, np.uint8)
    places, to = np.zeros(rows + 1, np.int64), 0
    for row in range(rows):
        first, last = bounds[row], bounds[row + 1]
        to = _number(out, to, last - first)
        for message in range(first, last):
            out[to] = roles[message]
            to = _number(out, to + 1, said_at[message + 1] - said_at[message])
            to = _number(out, to, more_at[message + 1] - more_at[message])
        to = put_bytes(out, to, said, said_at[first], said_at[last])
        to = put_bytes(out, to, more, more_at[first], more_at[last])
        to = put_bytes(out, to, heads, heads_at[row], heads_at[row + 1])
        places[row + 1] = to
    return out[:to], places
