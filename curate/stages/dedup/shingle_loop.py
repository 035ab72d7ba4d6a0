"""The compiled loop of shingles: folded characters of a row, and 32 bits for each run of a few of them.

A shingle's length follows the script of its first character: three characters for Chinese, Japanese and Korean, five
for others. Shingles never cross turns. What no whole shingle of a turn reaches ends in one shorter shingle, so that
every character counts and a turn of two characters still has one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from curate.compiled import njit
from curate.stages.dedup.fold_table import BLANK, table
from curate.utf8 import code_point

Array = np.ndarray[Any, Any]

CJK_SIZE, SIZE = 3, 5
LEAST_LEFT = 3
"""A row with fewer shingles outside the scaffold is compared by all it has."""

HINTS = 1 << 13
_HINTS = np.uint32(HINTS - 1)
_PLANE = 0x10000
SPACE = 32
CJK = 1 << 25
"""What is set in a folded character that is Chinese, Japanese or Korean."""
_CODE = (1 << 21) - 1
K1, K2, K3 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(0x9E3779B97F4A7C15)
_ODD1, _ODD2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_31, _27, _32 = np.uint64(31), np.uint64(27), np.uint64(32)
_21, _42, _60 = np.uint64(21), np.uint64(42), np.uint64(60)


@cache
def characters() -> Array:
    """Returns for each character of the basic plane what it becomes (int32): folded, any space `SPACE`, `CJK` marked."""
    becomes, kinds = table()
    codes = np.where(kinds == BLANK, np.int32(SPACE), becomes)
    ranges = ((0x3040, 0xA000), (0xAC00, 0xD7B0), (0xF900, 0xFB00))
    cjk = np.any([(codes >= first) & (codes < end) for first, end in ranges], axis=0)
    return np.where(cjk, codes | CJK, codes).astype(np.int32)


@njit(cache=True, nogil=True, inline="always")
def mixed(word: Any) -> Any:
    """Mixes 64 bits (after the finalizer of SplitMix64, Steele et al. 2014)."""
    word = (word ^ (word >> _27)) * K1
    word = (word ^ (word >> _31)) * K2
    return word ^ (word >> _32)


@njit(cache=True, nogil=True)
def _fold(data: Array, at: int, end: int, becomes: Array, codes: Array) -> int:
    """Writes the folded characters of a piece, runs of space as one and none at its edges; returns how many."""
    here, stop, count, spaced = np.uintp(at), np.uintp(end), np.uintp(0), True
    while here < stop:
        code, size = code_point(data, here)
        here += np.uintp(size)
        if code < _PLANE:
            code = becomes[np.uintp(code)]
        elif 0x20000 <= code < 0x40000:  # ideographs beyond the basic plane
            code |= CJK
        space = code == SPACE
        codes[count] = code
        count += np.uintp(not (space and spaced))  # no branch: it would be guessed wrong
        spaced = space
    found = int(np.int64(count))
    return found - 1 if found and spaced else found


@njit(cache=True, nogil=True, inline="always")
def _packed(one: Any, two: Any, three: Any, four: Any, five: Any, size: int) -> Any:
    """Returns 64 well mixed bits of up to five characters of 21 bits each; those beyond the size are 0."""
    low = np.uint64(one) | (np.uint64(two) << _21) | (np.uint64(three) << _42)
    high = np.uint64(four) | (np.uint64(five) << _21) | (np.uint64(size) << _60)
    return mixed((low * K3) ^ ((high * _ODD1) >> _21) ^ high)


@njit(cache=True, nogil=True)
def _whole(codes: Array, count: int, words: Array) -> None:
    """Writes the packed shingle of every place with four characters behind it; no branch, so many at once."""
    for at in range(count):
        cjk = codes[at] & CJK != 0
        four = 0 if cjk else codes[at + 3] & _CODE
        five = 0 if cjk else codes[at + 4] & _CODE
        size = CJK_SIZE if cjk else SIZE
        words[at] = _packed(codes[at] & _CODE, codes[at + 1] & _CODE, codes[at + 2] & _CODE, four, five, size)


@njit(cache=True, nogil=True)
def _shingle(codes: Array, at: int, size: int) -> Any:
    """Returns the packed characters of a shingle of one to five."""
    two = codes[at + 1] & _CODE if size > 1 else 0
    three = codes[at + 2] & _CODE if size > 2 else 0
    four = codes[at + 3] & _CODE if size > 3 else 0
    five = codes[at + 4] & _CODE if size > 4 else 0
    return _packed(codes[at] & _CODE, two, three, four, five, size)


@njit(cache=True, nogil=True)
def _ending(codes: Array, at: int, count: int, reached: int, words: Array, to: int) -> int:
    """Writes the packed shingles from a place near the end on, the shorter one among them; returns how many there are."""
    first = -1
    for start in range(at, count):
        size = CJK_SIZE if codes[start] & CJK else SIZE
        if start + size > count:
            first = start if first < 0 else first
            continue
        words[to] = _shingle(codes, start, size)
        to += 1
        reached = max(reached, start + size)
    if reached < count:
        words[to] = _shingle(codes, first, count - first)
        to += 1
    return to


@njit(cache=True, nogil=True)
def _shingles(codes: Array, count: int, words: Array, out: Array, to: int, digest: Array) -> int:
    """Writes the shingles (uint32) of one piece, takes them into the row's digest, and returns where the next go."""
    plenty = max(0, count - SIZE + 1)
    _whole(codes, plenty, words)
    reached = 0
    for at in range(max(0, plenty - SIZE), plenty):
        reached = max(reached, at + (CJK_SIZE if codes[at] & CJK else SIZE))
    found = _ending(codes, plenty, count, reached, words, plenty)
    one, two = digest[0] + K3, digest[1] ^ K3
    for at in range(found):
        one, two = one * _ODD1 + words[at], (two ^ words[at]) * _ODD2
    here = out[to : to + found]
    for at in range(found):
        here[at] = words[at] >> _32
    digest[0], digest[1] = one, two ^ (two >> _31)
    return to + found


@njit(cache=True, nogil=True)
def _turn(codes: Array, count: int, digest: Array) -> Any:
    """Takes a whole piece into the digest and returns 64 bits of it."""
    word = np.uint64(count)
    for at in range(count):
        word = word * _ODD1 + np.uint64(codes[at] & _CODE) + K3
    word = mixed(word)
    digest[0], digest[1] = digest[0] * _ODD1 + word, (digest[1] ^ word) * _ODD2
    return word


@njit(cache=True, nogil=True)
def row_shingles(
    data: Array, starts: Array, ends: Array, turns: Array, first: int, last: int, whole: bool, becomes: Array, work: Any
) -> int:
    """Writes a row's shingles, or its whole turns, into ``work`` and returns how many; repeats are not taken out."""
    codes, words, _, out, digest = work
    digest[0], digest[1] = np.uint64(last - first > 0), K2
    to, open_turn, so_far = 0, -1, np.uint64(0)
    for piece in range(first, last):
        count = _fold(data, starts[piece], ends[piece], becomes, codes)
        if not count:
            continue
        if not whole:
            to = _shingles(codes, count, words, out, to, digest)
            continue
        word = _turn(codes, count, digest)
        if turns[piece] == open_turn:
            so_far = so_far * _ODD1 + word
            out[to - 1] = mixed(so_far) >> _32
            continue
        open_turn, so_far = turns[piece], word
        out[to] = mixed(word) >> _32
        to += 1
    return to


@njit(cache=True, nogil=True)
def strip(out: Array, count: int, scaffold: Array, hints: Array) -> int:
    """Moves shingles outside the scaffold (sorted) to the front; returns how many, or all when too few are left."""
    if not scaffold.size:
        return count
    left = 0
    for at in range(count):
        shingle = out[at]
        if hints[shingle & _HINTS]:
            place = np.searchsorted(scaffold, shingle)
            if place < scaffold.size and scaffold[place] == shingle:
                continue
        if left < at:
            out[at], out[left] = out[left], shingle
        left += 1
    return left if left >= LEAST_LEFT else count


@njit(cache=True, nogil=True)
def room(starts: Array, ends: Array, bounds: Array) -> Any:
    """Returns room for the characters of the longest piece, the shingles of the longest row as 64 bits, as 32 mixed once more
    and as 32, and for a digest.
    """
    piece, row = 0, 0
    for r in range(bounds.size - 1):
        total = 0
        for p in range(bounds[r], bounds[r + 1]):
            piece = max(piece, ends[p] - starts[p])
            total += ends[p] - starts[p]
        row = max(row, total)
    words, stirred = np.empty(row + 1, np.uint64), np.empty(row + 1, np.uint32)
    return np.empty(piece + SIZE, np.int32), words, stirred, np.empty(row + 1, np.uint32), np.zeros(2, np.uint64)
