"""Finding where the values of a JSON sequence begin and end, without parsing them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

Spans = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], int, bool]
MAX_SPANS = 1 << 16


def spans(data: bytes, start: int, most: int = MAX_SPANS) -> Spans:
    """Returns starts and ends of the whole values from ``start`` on, where scanning stopped, and whether a closing
    bracket of the sequence stopped it.

    At most ``most`` values are found in one call. A value cut off by the end of the data is not among them:
    scanning stops where it starts. Only brackets, strings and escapes are looked at.
    """
    return _compiled()(np.frombuffer(data, dtype=np.uint8), start, most)


@cache
def _compiled() -> Callable[[np.ndarray[Any, Any], int, int], Spans]:
    import numba

    value_end = numba.njit(cache=True)(_value_end)

    @numba.njit(cache=False)
    def scan(buffer: Any, start: int, most: int) -> Any:
        starts = np.empty(most, np.int64)
        ends = np.empty(most, np.int64)
        found, at, size = 0, start, len(buffer)
        while at < size and found < most:
            byte = buffer[at]
            if byte == 32 or byte == 10 or byte == 13 or byte == 9 or byte == 44:  # blank or comma
                at += 1
                continue
            if byte == 93 or byte == 125:  # ] or }
                return starts[:found], ends[:found], at, True
            end = value_end(buffer, at, size)
            if end < 0:
                return starts[:found], ends[:found], at, False
            starts[found] = at
            ends[found] = end
            found += 1
            at = end
        return starts[:found], ends[:found], at, False

    return scan


def _value_end(buffer: Any, at: int, size: int) -> int:
    """Where the value that starts at ``at`` ends, or -1 when the data ends first."""
    depth = 0
    in_string = False
    while at < size:
        byte = buffer[at]
        if in_string:
            if byte == 92:  # backslash
                at += 1
            elif byte == 34 or byte == 10:  # quote; a raw newline can't be inside a string, so it ends a broken one
                in_string = False
                if depth == 0:
                    return at + 1
        elif byte == 34:
            in_string = True
        elif byte == 123 or byte == 91:
            depth += 1
        elif byte == 125 or byte == 93:
            if depth == 0:
                return at  # the sequence closes right after a bare value
            depth -= 1
            if depth == 0:
                return at + 1
        elif depth == 0 and (byte == 44 or byte == 32 or byte == 10 or byte == 13 or byte == 9):
            return at
        at += 1
    return -1
