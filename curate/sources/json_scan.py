"""Finding where the values of a JSON sequence begin and end, without parsing them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

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
    from curate.compiled import njit

    try:
        compiled = njit(cache=True)(_scan)
    except RuntimeError:  # no folder to keep compiled code in
        compiled = njit(_scan)
    return cast(Callable[[np.ndarray[Any, Any], int, int], Spans], compiled)


_OTHER, _GAP, _NEWLINE, _QUOTE, _ESCAPE, _OPEN, _CLOSE = range(7)
_CLASSES = np.zeros(256, dtype=np.uint8)
_CLASSES[[*b" \t\r,"]] = _GAP
_CLASSES[[*b"\n"]] = _NEWLINE
_CLASSES[[*b'"']] = _QUOTE
_CLASSES[[*b"\\"]] = _ESCAPE
_CLASSES[[*b"{["]] = _OPEN
_CLASSES[[*b"}]"]] = _CLOSE


def _scan(buffer: Any, start: int, most: int) -> Any:
    starts, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    found, depth, begin, quoted = 0, 0, -1, False
    at, size = start, len(buffer)
    while at < size and found < most:
        kind = _CLASSES[buffer[at]]
        end = -1  # where a value ends at this byte
        if quoted:
            if kind == _ESCAPE:
                at += 1
            elif kind in (_QUOTE, _NEWLINE):  # a raw newline can't be in a string, so it ends a broken one
                quoted = False
                end = at + 1 if depth == 0 else -1
        elif kind in (_GAP, _NEWLINE):
            end = at if depth == 0 and begin >= 0 else -1
        elif kind == _CLOSE:
            if depth == 0 and begin < 0:
                return starts[:found], ends[:found], at, True
            end = at if depth == 0 else (at + 1 if depth == 1 else -1)
            depth = max(0, depth - 1)
        else:
            begin = at if begin < 0 else begin
            quoted = kind == _QUOTE
            depth += kind == _OPEN
        if end >= 0:
            starts[found], ends[found] = begin, end
            found, begin, depth = found + 1, -1, 0
            at = end
        else:
            at += 1
    return starts[:found], ends[:found], begin if begin >= 0 else at, False
