"""UTF-8 in compiled loops: the code point at a byte, a code point written, and bytes copied.

Places are unsigned inside: numba then need not ask whether they count from the end, and copies many bytes at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit

Array = np.ndarray[Any, Any]

_ONE, _TWO, _THREE, _FOUR = np.uintp(1), np.uintp(2), np.uintp(3), np.uintp(4)


@njit(cache=True, nogil=True)
def code_point(data: Array, at: Any) -> tuple[Any, int]:
    """Returns the code point that starts at a byte of valid UTF-8 (uint8[]), and its length in bytes."""
    here = np.uintp(at)
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


@njit(cache=True, nogil=True, inline="always")
def put_code_point(out: Array, at: Any, code: int) -> Any:
    """Writes a code point as UTF-8 (uint8[]) at an unsigned place and returns where the next one goes."""
    if code < 0x80:
        out[at] = code
        return at + _ONE
    if code < 0x800:
        out[at], out[at + _ONE] = 0xC0 | (code >> 6), 0x80 | (code & 0x3F)
        return at + _TWO
    if code < 0x10000:
        out[at], out[at + _ONE] = 0xE0 | (code >> 12), 0x80 | ((code >> 6) & 0x3F)
        out[at + _TWO] = 0x80 | (code & 0x3F)
        return at + _THREE
    out[at], out[at + _ONE] = 0xF0 | (code >> 18), 0x80 | ((code >> 12) & 0x3F)
    out[at + _TWO], out[at + _THREE] = 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
    return at + _FOUR


@njit(cache=True, nogil=True)
def put_bytes(out: Array, to: int, data: Array, at: int, end: int) -> int:
    """Copies the bytes ``at:end`` of ``data`` (uint8[]) and returns where the next go."""
    here, there = np.uintp(at), np.uintp(to)
    for i in range(np.uintp(end - at)):
        out[there + i] = data[here + i]
    return to + end - at
