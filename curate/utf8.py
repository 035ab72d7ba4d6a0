"""UTF-8 in compiled loops: the code point at a byte."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit

Array = np.ndarray[Any, Any]

_ONE, _TWO, _THREE = np.uintp(1), np.uintp(2), np.uintp(3)


@njit(cache=True, nogil=True)
def code_point(data: Array, at: Any) -> tuple[Any, int]:
    """Returns the code point that starts at a byte of valid UTF-8 (uint8[]), and its length in bytes."""
    here = np.uintp(at)  # unsigned: numba need not ask whether it counts from the end
    lead = np.int64(data[here])
    if lead < 0x80:
        return lead, 1
    second = data[here + _ONE] & 0x3F
    if lead < 0xE0:
        return ((lead & 0x1F) << 6) | second, 2
    third = data[here + _TWO] & 0x3F
    if lead < 0xF0:
        return ((lead & 0x0F) << 12) | (second << 6) | third, 3
    return ((lead & 0x07) << 18) | (second << 12) | (third << 6) | (data[here + _THREE] & 0x3F), 4
