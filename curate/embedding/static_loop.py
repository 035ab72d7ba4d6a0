"""The compiled loop of the static model: words cut into known pieces, and their vectors summed in whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit

Array = np.ndarray[Any, Any]

_PRIME = np.uint64(0x100000001B3)
_START, _INSIDE = np.uint64(0xCBF29CE484222325), np.uint64(0x84222325CBF29CE4)
_LETTER, _WIDE = 1, 2
_LONGEST = 64


@njit(cache=True, nogil=True)
def hash_bytes(data: Array, start: int, end: int, inside: bool) -> np.uint64:
    """Returns FNV-1a (64 bits) of bytes; a piece inside a word has a start of its own."""
    found = _INSIDE if inside else _START
    for at in range(start, end):
        found = (found ^ np.uint64(data[at])) * _PRIME
    return found


@njit(cache=True, nogil=True, inline="always")
def _mixed(value: np.uint64) -> np.uint64:
    """Returns a value with its bits mixed (splitmix64, Steele et al. 2014)."""
    value = (value + np.uint64(0x9E3779B97F4A7C15)) & np.uint64(0xFFFFFFFFFFFFFFFF)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _place(slots: Array, hashes: Array, wanted: np.uint64) -> Any:
    """Returns the number of a known piece, or -1."""
    at = np.int64(wanted & np.uint64(slots.size - 1))
    while slots[at] >= 0:
        if hashes[slots[at]] == wanted:
            return np.int64(slots[at])
        at = (at + 1) & (slots.size - 1)
    return -1


@njit(cache=True, nogil=True)
def slots_of(hashes: Array, size: int) -> Array:
    """Returns an open hash table (int32[size], a power of two, -1 = free) of the pieces' hashes."""
    slots = np.full(size, -1, np.int32)
    for piece in range(hashes.size):
        at = np.int64(hashes[piece] & np.uint64(size - 1))
        while slots[at] >= 0:
            at = (at + 1) & (size - 1)
        slots[at] = piece
    return slots


@njit(cache=True, nogil=True)
def _add_hashed(total: Array, value: np.uint64, weight: int) -> None:
    """Adds a vector of signs that a hash decides: any two such vectors are nearly at right angles."""
    word = value
    for number in range(total.size):
        if number % 64 == 0:
            value = _mixed(value)
            word = value
        total[number] += weight if word & np.uint64(1) else -weight
        word >>= np.uint64(1)


@njit(cache=True, nogil=True)
def _add_word(
    total: Array,
    data: Array,
    start: int,
    end: int,
    slots: Array,
    hashes: Array,
    table: Array,
    scales: Array,
    weight: int,
) -> None:
    """Adds the pieces of a word, the longest known first (WordPiece); a word with an unknown piece by its hash."""
    pieces, count, at = np.empty(_LONGEST, np.int64), 0, start
    while at < end:
        value, best, stop = _INSIDE if at > start else _START, -1, at
        for to in range(at, end):
            value = (value ^ np.uint64(data[to])) * _PRIME
            known = _place(slots, hashes, value)
            if known >= 0:
                best, stop = known, to + 1
        if best < 0:
            _add_hashed(total, hash_bytes(data, start, end, False), weight)
            return
        pieces[count] = best
        count += 1
        at = stop
    for number in range(count):
        scale = np.int64(scales[pieces[number]])
        for at in range(total.size):
            total[at] += scale * table[pieces[number], at]


@njit(cache=True, nogil=True, inline="always")
def _kind(byte: int) -> int:
    """Returns letter (ASCII letter or digit, or a byte of a letter of two bytes), wide (three bytes or more), or 0."""
    if byte >= 0xE0:
        return _WIDE
    if byte >= 0xC3 or 48 <= byte <= 57 or 97 <= byte <= 122:
        return _LETTER
    return 0


@njit(cache=True, nogil=True)
def _end_of_word(data: Array, at: int, end: int) -> int:
    while at < end and (_kind(data[at]) == _LETTER or 0x80 <= data[at] < 0xC0):
        at += 1
    return at


@njit(cache=True, nogil=True)
def _add_text(
    total: Array,
    data: Array,
    at: int,
    end: int,
    slots: Array,
    hashes: Array,
    table: Array,
    scales: Array,
    weight: int,
) -> None:
    """Adds the words of a text, and each wide character by itself and with the wide one before it."""
    before = np.uint64(0)
    while at < end:
        kind = _kind(data[at])
        if kind == _LETTER:
            stop = min(_end_of_word(data, at, end), end)
            _add_word(total, data, at, min(stop, at + _LONGEST), slots, hashes, table, scales, weight)
            at, before = stop, np.uint64(0)
        elif kind == _WIDE:
            stop = min(at + (3 if data[at] < 0xF0 else 4), end)
            value = hash_bytes(data, at, stop, False)
            symbol = (data[at] == 0xE3 and data[at + 1] == 0x80) or data[at] == 0xEF or data[at] == 0xE2
            if not symbol:
                _add_hashed(total, value, weight // 2)
                if before:
                    _add_hashed(total, _mixed(before) ^ value, weight)
            at, before = stop, np.uint64(0) if symbol else value
        else:
            before = np.uint64(0)
            at += 1


@njit(cache=True, nogil=True)
def sums(data: Array, offsets: Array, slots: Array, hashes: Array, table: Array, scales: Array, weight: int) -> Array:
    """Returns the sum of the vectors of each text's words (int64[texts, size]).

    ``data`` (uint8) holds the folded texts, text t the bytes ``offsets[t]:offsets[t + 1]``; a piece's vector is its
    row of ``table`` (int8) times its scale (uint16); ``weight`` is the size of the numbers of a hashed vector.
    """
    found = np.zeros((offsets.size - 1, table.shape[1]), np.int64)
    for text in range(offsets.size - 1):
        _add_text(found[text], data, offsets[text], offsets[text + 1], slots, hashes, table, scales, weight)
    return found
