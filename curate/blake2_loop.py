"""The compiled loop of BLAKE2b (RFC 7693, no key): digests of 128 bits of many texts at once, as hex digits.

Texts are taken `LANES` together, a block of each at a time: whatever is done to a word is done to a word of every text
in one short loop, which the compiler turns to vector instructions. A table of words (uint64[]) has `LANES` words in a
row, one of each text.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit

Array = np.ndarray[Any, Any]
Words = tuple[Any, ...]

LANES = 8
BLOCK = 128
"""Bytes in a block: sixteen words."""

_STATE, _READ, _LAST = 16, 24, 25
"""Rows behind the sixteen of the block: eight of the state, the bytes read so far, and all ones when the text ends."""
_ROWS = 26
_LANES, _WORD = np.uintp(LANES), np.uintp(8)
_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)

_I0, _I1, _I2, _I3 = map(np.uint64, (0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1))
_I4, _I5, _I6, _I7 = map(np.uint64, (0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179))
_FIRST = np.array([_I0 ^ np.uint64(0x01010010), _I1, _I2, _I3, _I4, _I5, _I6, _I7])
"""The state before the first block, of digests of 16 bytes."""


def _places(order: str) -> tuple[np.uintp, ...]:
    """Returns where the row of each word of a block begins, in the order in which a round takes them."""
    return tuple(np.uintp(int(word, 16) * LANES) for word in order)


_P0, _P1 = _places("0123456789abcdef"), _places("ea489fd61c02b753")
_P2, _P3 = _places("b8c052fdae367194"), _places("7931dcbe265a40f8")
_P4, _P5 = _places("905724afe1bc683d"), _places("2c6a0b834d75fe19")
_P6, _P7 = _places("c51fed4a0763928b"), _places("db7ec13950f4862a")
_P8, _P9 = _places("6fe9b308c2d714a5"), _places("a2847615fb9e3cd0")
_H = tuple(np.uintp((_STATE + word) * LANES) for word in range(8))
_T, _F = np.uintp(_READ * LANES), np.uintp(_LAST * LANES)


@njit(cache=True, nogil=True, forceinline=True)
def _turned(word: Any, left: Any, right: Any) -> Any:
    return word >> right | word << left


@njit(cache=True, nogil=True, forceinline=True)
def _mixed(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Words:
    """Returns four words of the working state after two words of the block were mixed in."""
    a = a + b + x
    d = _turned(d ^ a, np.uint64(32), np.uint64(32))
    c = c + d
    b = _turned(b ^ c, np.uint64(40), np.uint64(24))
    a = a + b + y
    d = _turned(d ^ a, np.uint64(48), np.uint64(16))
    c = c + d
    b = _turned(b ^ c, np.uint64(1), np.uint64(63))
    return a, b, c, d


@njit(cache=True, nogil=True, forceinline=True)
def _round(v: Words, m: Array, at: Any, p: Words) -> Words:
    """Returns the working state after a round that takes the words of a lane's block from the places ``p``."""
    v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, va, vb, vc, vd, ve, vf = v
    v0, v4, v8, vc = _mixed(v0, v4, v8, vc, m[p[0] + at], m[p[1] + at])
    v1, v5, v9, vd = _mixed(v1, v5, v9, vd, m[p[2] + at], m[p[3] + at])
    v2, v6, va, ve = _mixed(v2, v6, va, ve, m[p[4] + at], m[p[5] + at])
    v3, v7, vb, vf = _mixed(v3, v7, vb, vf, m[p[6] + at], m[p[7] + at])
    v0, v5, va, vf = _mixed(v0, v5, va, vf, m[p[8] + at], m[p[9] + at])
    v1, v6, vb, vc = _mixed(v1, v6, vb, vc, m[p[10] + at], m[p[11] + at])
    v2, v7, v8, vd = _mixed(v2, v7, v8, vd, m[p[12] + at], m[p[13] + at])
    v3, v4, v9, ve = _mixed(v3, v4, v9, ve, m[p[14] + at], m[p[15] + at])
    return v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, va, vb, vc, vd, ve, vf


@njit(cache=True, nogil=True)
def _take(m: Array) -> None:
    """Takes the block of every lane into its state."""
    h = _H
    for at in range(_LANES):
        h0, h1, h2, h3 = m[h[0] + at], m[h[1] + at], m[h[2] + at], m[h[3] + at]
        h4, h5, h6, h7 = m[h[4] + at], m[h[5] + at], m[h[6] + at], m[h[7] + at]
        v = (h0, h1, h2, h3, h4, h5, h6, h7, _I0, _I1, _I2, _I3, _I4 ^ m[_T + at], _I5, _I6 ^ m[_F + at], _I7)
        v = _round(_round(v, m, at, _P0), m, at, _P1)
        v = _round(_round(v, m, at, _P2), m, at, _P3)
        v = _round(_round(v, m, at, _P4), m, at, _P5)
        v = _round(_round(v, m, at, _P6), m, at, _P7)
        v = _round(_round(v, m, at, _P8), m, at, _P9)
        v = _round(_round(v, m, at, _P0), m, at, _P1)
        m[h[0] + at], m[h[1] + at], m[h[2] + at] = h0 ^ v[0] ^ v[8], h1 ^ v[1] ^ v[9], h2 ^ v[2] ^ v[10]
        m[h[3] + at], m[h[4] + at], m[h[5] + at] = h3 ^ v[3] ^ v[11], h4 ^ v[4] ^ v[12], h5 ^ v[5] ^ v[13]
        m[h[6] + at], m[h[7] + at] = h6 ^ v[6] ^ v[14], h7 ^ v[7] ^ v[15]


@njit(cache=True, nogil=True, forceinline=True)
def _word(data: Array, at: Any) -> Any:
    """Returns the word that eight bytes make (the compiler reads them at once)."""
    word = np.uint64(data[at])
    for byte in range(np.uintp(1), _WORD):
        word |= np.uint64(data[at + byte]) << np.uint64(8) * np.uint64(byte)
    return word


@njit(cache=True, nogil=True)
def _load(data: Array, at: int, end: int, m: Array, lane: int) -> None:
    """Puts the bytes ``at:end``, a block of them at most and zeros behind them, into a lane."""
    here, to = np.uintp(at), np.uintp(lane)
    whole = np.uintp(min(max(end - at, 0), BLOCK) // 8)
    for _ in range(whole):
        m[to] = _word(data, here)
        here, to = here + _WORD, to + _LANES
    for _ in range(whole, np.uintp(16)):
        word = np.uint64(0)
        for byte in range(min(max(end - int(np.int64(here)), 0), 8)):
            word |= np.uint64(data[here + np.uintp(byte)]) << np.uint64(8 * byte)
        m[to] = word
        here, to = here + _WORD, to + _LANES


@njit(cache=True, nogil=True)
def _spell(m: Array, lane: int, digits: Array) -> None:
    """Writes the hex digits of the first two words of a lane's state."""
    put = np.uintp(0)
    for word in range(2):
        left = m[(_STATE + word) * LANES + lane]
        for _ in range(8):
            digits[put], digits[put + np.uintp(1)] = (
                _HEX[left >> np.uint64(4) & np.uint64(15)],
                _HEX[left & np.uint64(15)],
            )
            put += np.uintp(2)
            left >>= np.uint64(8)


@njit(cache=True, nogil=True)
def put_digests(data: Array, bounds: Array, which: Array, digits: Array) -> None:
    """Writes the hex digits of texts' digests, each to the text's row of ``digits`` (uint8, n rows of 32).

    Texts lie between ``bounds`` (int64, n + 1) in ``data`` (uint8); ``which`` (int64) are those to do, longest first.
    """
    m = np.zeros(_ROWS * LANES, np.uint64)
    for first in range(0, which.size, LANES):
        texts = which[first : first + LANES]
        for word in range(8):
            m[(_STATE + word) * LANES : (_STATE + word + 1) * LANES] = _FIRST[word]
        longest = bounds[texts[0] + 1] - bounds[texts[0]]
        for read in range(0, max(longest, 1), BLOCK):
            for lane in range(texts.size):
                start, end = bounds[texts[lane]], bounds[texts[lane] + 1]
                _load(data, start + read, end, m, lane)
                m[_READ * LANES + lane] = np.uint64(min(read + BLOCK, end - start))
                m[_LAST * LANES + lane] = _ONES if read + BLOCK >= end - start else np.uint64(0)
            _take(m)
            for lane in range(texts.size):
                size = max(bounds[texts[lane] + 1] - bounds[texts[lane]], 1)
                if read < size <= read + BLOCK:
                    _spell(m, lane, digits[texts[lane]])
