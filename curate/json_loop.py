"""The compiled loops that write JSON: members of objects side by side, each at its own place in one buffer."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit
from curate.utf8 import put_bytes

Array = np.ndarray[Any, Any]

_QUOTE, _BACKSLASH, _COMMA, _COLON, _OPEN, _CLOSE, _U, _ZERO, _MINUS = 34, 92, 44, 58, 123, 125, 117, 48, 45

_STOPS = np.zeros(256, np.bool_)
_STOPS[[*range(0x20), _QUOTE, _BACKSLASH]] = True
"""Bytes that can't stand in a string as they are."""
_LETTERS = np.full(256, _U, np.uint8)
_LETTERS[[*b'"\\\b\f\n\r\t']] = [*b'"\\bfnrt']
"""What each is written as after a backslash; those written as `u` take four digits more."""
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_QUOTES = 2
"""By how many bytes every text grows."""
_TRUE, _FALSE, _NULL = (np.frombuffer(word, np.uint8) for word in (b"true", b"false", b"null"))


@njit(cache=True, nogil=True)
def _more(data: Array, start: int, end: int) -> int:
    """Returns by how many bytes a text grows when it is written as a string, quotes included."""
    stopped, long = 0, 0
    for byte in data[start:end]:  # no branch, so many bytes at once
        control = byte < 0x20
        stopped += control | (byte == _QUOTE) | (byte == _BACKSLASH)
        long += control & ((byte < 8) | (byte > 13) | (byte == 11))  # no letter stands for it
    return _QUOTES + stopped + 4 * long


@njit(cache=True, nogil=True)
def growth(data: Array, starts: Array, ends: Array, there: Array) -> Array:
    """Returns by how many bytes (int64) each text that is ``there`` grows when it is written as a string."""
    more = np.zeros(starts.size, np.int64)
    for row in range(starts.size):
        if there[row]:
            more[row] = _more(data, starts[row], ends[row])
    return more


@njit(cache=True, nogil=True)
def _plain(data: Array, start: int, stop: int) -> int:
    """Returns where a stretch of a text ends that stands for itself."""
    at, end = np.uintp(start), np.uintp(stop)
    while at < end and not _STOPS[data[at]]:
        at += np.uintp(1)
    return int(np.int64(at))


@njit(cache=True, nogil=True)
def _string(out: Array, to: int, data: Array, at: int, end: int) -> int:
    """Writes a text as `orjson` writes a string and returns where it ends."""
    out[to] = _QUOTE
    to += 1
    while at < end:
        start, at = at, _plain(data, at, end)
        to = put_bytes(out, to, data, start, at)
        if at < end:
            byte = data[at]
            out[to], out[to + 1] = _BACKSLASH, _LETTERS[byte]
            to, at = to + 2, at + 1
            if _LETTERS[byte] == _U:
                out[to], out[to + 1], out[to + 2], out[to + 3] = _ZERO, _ZERO, _HEX[byte >> 4], _HEX[byte & 15]
                to += 4
    out[to] = _QUOTE
    return to + 1


@njit(cache=True, nogil=True)
def put(
    out: Array, places: Array, name: Array, data: Array, starts: Array, ends: Array, there: Array, more: Array
) -> None:
    """Writes the members that are ``there`` where ``places`` (int64) say, behind a comma unless it is an object's
    first, and moves the places on.

    A value is the bytes ``starts:ends`` of ``data``: a text that grows by so many bytes, or JSON as it is, by none.
    """
    for row in range(places.size):
        if not there[row]:
            continue
        to = places[row]
        if out[to - 1] != _OPEN:
            out[to] = _COMMA
            to += 1
        to = put_bytes(out, to, name, 0, name.size)
        if more[row] > _QUOTES:
            places[row] = _string(out, to, data, starts[row], ends[row])
            continue
        if more[row]:
            out[to] = _QUOTE
            to += 1
        to = put_bytes(out, to, data, starts[row], ends[row])
        if more[row]:
            out[to] = _QUOTE
            to += 1
        places[row] = to


@njit(cache=True, nogil=True)
def _quoted(data: Array, at: int, end: int) -> int:
    """Returns where a string without escapes ends, behind its quote, or -1; ``at`` is at its first quote."""
    stop = _plain(data, at + 1, end)
    return stop + 1 if stop < end and data[stop] == _QUOTE else -1


@njit(cache=True, nogil=True)
def _word(data: Array, at: int, end: int) -> int:
    """Returns where an integer of 18 digits at most, or true, false or null ends, or -1."""
    start = at
    while at < end and 97 <= data[at] <= 122:
        at += 1
    if at > start:
        letters = data[start:at]
        known = False
        for word in (_TRUE, _FALSE, _NULL):
            known = known or (letters.size == word.size and (letters == word).all())
        return at if known else -1
    at += data[at] == _MINUS
    first = at
    while at < end and _ZERO <= data[at] <= _ZERO + 9:
        at += 1
    plain = 0 < at - first <= 18 and (data[first] != _ZERO or at - start == 1)
    return at if plain else -1


@njit(cache=True, nogil=True)
def _tidy(data: Array, at: int, end: int, keys: Array) -> bool:
    if end - at < 2 or data[at] != _OPEN or data[end - 1] != _CLOSE:
        return False
    known, at = 0, at + 1
    while at < end - 1 and data[at] == _QUOTE and known < keys.shape[0]:
        start, at = at, _quoted(data, at, end)
        if at < 0 or at >= end or data[at] != _COLON:
            return False
        for key in range(known):
            if (
                keys[key, 1] - keys[key, 0] == at - start
                and (data[keys[key, 0] : keys[key, 1]] == data[start:at]).all()
            ):
                return False
        keys[known, 0], keys[known, 1] = start, at
        known += 1
        at = _quoted(data, at + 1, end) if data[at + 1] == _QUOTE else _word(data, at + 1, end)
        if at < 0 or at >= end:
            return False
        if data[at] == _COMMA and at + 1 < end - 1:
            at += 1
        elif at != end - 1:
            return False
    return at == end - 1


@njit(cache=True, nogil=True)
def tidy(data: Array, offsets: Array) -> Array:
    """Tells of each JSON text (bool[]) whether it surely is as `orjson` writes it: an object of different keys, with
    texts that need no escapes, integers, truth values and nulls. False leaves it open.
    """
    found, keys = np.zeros(offsets.size - 1, np.bool_), np.empty((32, 2), np.int64)
    for text in range(found.size):
        found[text] = _tidy(data, offsets[text], offsets[text + 1], keys)
    return found
