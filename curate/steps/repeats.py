"""Repeats: which of many digests stood before, for which time they stand, and the ids this gives them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.digests import DIGITS, hex_digests

_MARKS = 1 << 22
_SIFT = np.uint64(64 - 22)
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
"""Odd numbers by which two words of digits become one key."""


def repeats_among(digits: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns where digests (rows of hex digits) stand that stood before, in their order, and how often each did.

    Digests are told apart by short keys first; of those whose key another one has, by all digits.
    """
    words = np.ascontiguousarray(digits).view(np.uint64)
    keys = words[:, 0] * _MIX[0] + words[:, 1] * _MIX[1]
    shared = _shared(keys)
    words, keys = words[shared], keys[shared]
    order = np.argsort(keys, kind="stable")
    same = _as_before(words, order)
    if not np.array_equal(same, keys[order[1:]] == keys[order[:-1]]):
        order = np.lexsort(words.T)
        same = _as_before(words, order)
    places = np.arange(order.size)
    firsts = np.maximum.accumulate(np.where(np.concatenate([[False], same]), 0, places))
    numbers = np.empty(order.size, np.int64)
    numbers[order] = places - firsts
    again = np.flatnonzero(numbers)
    return shared[again], numbers[again]


def _shared(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns the places of all keys that stand twice, and of a few others."""
    ordered = np.sort(keys)
    marks = np.zeros(_MARKS, np.bool_)
    marks[ordered[1:][ordered[1:] == ordered[:-1]] >> _SIFT] = True
    return np.flatnonzero(marks[keys >> _SIFT])


def _as_before(words: NDArray[np.uint64], order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tells of each row but the first, in that order, whether it is the same as the one before it."""
    found: NDArray[np.bool_] = (words[order[1:]] == words[order[:-1]]).all(axis=1)
    return found


def ids_of_repeats(digits: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns the digits of `row_hash(digest, str(number))` for each digest and its number."""
    ids = np.empty_like(digits)
    widths = np.searchsorted(10 ** np.arange(1, 19), numbers, side="right") + 1
    for width in np.unique(widths).tolist():
        mine = np.flatnonzero(widths == width)
        tens = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
        lengths = (np.frombuffer(size.to_bytes(8, "little"), np.uint8) for size in (DIGITS, width))
        before, between = (np.broadcast_to(length, (mine.size, 8)) for length in lengths)
        written = (numbers[mine, None] // tens % 10 + ord("0")).astype(np.uint8)
        hashed = np.concatenate([before, digits[mine], between, written], axis=1)
        bounds = np.arange(mine.size + 1) * hashed.shape[1]
        ids[mine] = hex_digests(hashed.reshape(-1), bounds)
    return ids
