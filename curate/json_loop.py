"""The compiled loops that write JSON: members of objects side by side, each at its own place in one buffer.

Places are unsigned in the hot loops: numba then need not ask whether they count from the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit

Array = np.ndarray[Any, Any]

_QUOTE, _BACKSLASH, _COMMA, _OPEN, _U, _ZERO = 34, 92, 44, 123, 117, 48
_ONE = np.uintp(1)

_STOPS = np.zeros(256, np.bool_)
_STOPS[[*range(0x20), _QUOTE, _BACKSLASH]] = True
"""Bytes that can't stand in a string as they are."""
_LETTERS = np.full(256, _U, np.uint8)
_LETTERS[[*b'"\\\b\f\n\r\t']] = [*b'"\\bfnrt']
"""What each is written as after a backslash; those written as `u` take four digits more."""
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@njit(cache=True, nogil=True)
def _more(data: Array, start: int, end: int) -> int:
    """Returns by how many bytes a text grows when it is written as a string, quotes included."""
    stopped, long = 0, 0
    for byte in data[start:end]:  # no branch, so many bytes at once
        control = byte < 0x20
        stopped += control | (byte == _QUOTE) | (byte == _BACKSLASH)
        long += control & ((byte < 8) | (byte > 13) | (byte == 11))  # no letter stands for it
    return 2 + stopped + 4 * long


@njit(cache=True, nogil=True)
def measure(total: Array, name: int, data: Array, starts: Array, ends: Array, there: Array, quoted: bool) -> None:
    """Adds to ``total`` (int64) how many bytes each member takes with its name (so many bytes) and a comma."""
    for row in range(total.size):
        if there[row]:
            total[row] += name + 1 + ends[row] - starts[row]
            if quoted:
                total[row] += _more(data, starts[row], ends[row])


@njit(cache=True, nogil=True)
def _copied(out: Array, to: Any, data: Array, at: Any, end: Any) -> Any:
    for i in range(end - at):
        out[to + i] = data[at + i]
    return to + (end - at)


@njit(cache=True, nogil=True)
def _string(out: Array, to: Any, data: Array, at: Any, end: Any) -> Any:
    """Writes a text as `orjson` writes a string and returns where it ends."""
    out[to] = _QUOTE
    to += _ONE
    while at < end:
        start = at
        while at < end and not _STOPS[data[at]]:
            at += _ONE
        to = _copied(out, to, data, start, at)
        if at < end:
            out[to], out[to + _ONE] = _BACKSLASH, _LETTERS[data[at]]
            to += np.uintp(2)
            if out[to - _ONE] == _U:
                out[to], out[to + _ONE] = _ZERO, _ZERO
                out[to + np.uintp(2)], out[to + np.uintp(3)] = _HEX[data[at] >> 4], _HEX[data[at] & 15]
                to += np.uintp(4)
            at += _ONE
    out[to] = _QUOTE
    return to + _ONE


@njit(cache=True, nogil=True)
def put(
    out: Array, places: Array, name: Array, data: Array, starts: Array, ends: Array, there: Array, quoted: bool
) -> None:
    """Writes the members that are ``there`` where ``places`` (int64) say, behind a comma unless it is an object's
    first, and moves the places on.

    A value is the bytes ``starts:ends`` of ``data``, a text to be ``quoted`` or JSON as it is.
    """
    for row in range(places.size):
        if not there[row]:
            continue
        to = np.uintp(places[row])
        if out[to - _ONE] != _OPEN:
            out[to] = _COMMA
            to += _ONE
        to = _copied(out, to, name, np.uintp(0), np.uintp(name.size))
        if quoted:
            to = _string(out, to, data, np.uintp(starts[row]), np.uintp(ends[row]))
        else:
            to = _copied(out, to, data, np.uintp(starts[row]), np.uintp(ends[row]))
        places[row] = np.int64(to)
