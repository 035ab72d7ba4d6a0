"""Units: a text as hashed words and single characters of scripts without spaces, in compiled loops.

A word weighs 2 and a character of a script without spaces 1, since a Chinese word has about two. So an n-gram of
"8 words" is 8 English words, 16 Chinese characters, or any mixture of that weight.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curate.compiled import njit
from curate.stages.decontaminate.folding import (
    HARD,
    IGNORED,
    JOINER,
    PLANE,
    SEPARATOR,
    SIGN,
    WORD,
    settled,
    tables,
)
from curate.utf8 import code_point

Array = np.ndarray[Any, Any]
WEIGHT = 2
"""What one word weighs."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_SEED = np.uint64(0x2545F4914F6CDD1D)


@njit(cache=True, nogil=True)
def mixed(value: Any) -> Any:
    """Returns the 64 bits well mixed (the finalizer of splitmix64)."""
    value = np.uint64(value)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _kind(code: int, kinds: Array) -> Any:
    if code < PLANE:
        return kinds[code]
    if 0x20000 <= code < 0x40000:
        return np.uint8(SIGN)
    return np.uint8(WORD) if code < 0x1F000 else np.uint8(SEPARATOR)


@njit(cache=True, nogil=True)
def has_hard(data: Array, offsets: Array, kinds: Array) -> Array:
    """Returns which of the texts (UTF-8 bytes, offsets) hold a hard character."""
    hard = np.zeros(offsets.size - 1, np.bool_)
    for text in range(offsets.size - 1):
        at, end = offsets[text], offsets[text + 1]
        while at < end:
            if data[at] < 0x80:
                at += 1
                continue
            code, size = code_point(data, at)
            at += size
            if (code < PLANE and kinds[code] == HARD) or 0x1D400 <= code < 0x1D800:
                hard[text] = True
                break
    return hard


@njit(cache=True, nogil=True)
def read_units(
    data: Array,
    at: int,
    end: int,
    becomes: Array,
    kinds: Array,
    hashes: Array,
    weights: Array,
    starts: Array,
    ends: Array,
) -> int:
    """Writes the units of one text, their weights and byte bounds in ``data``, and returns their number."""
    number = 0
    inside = False
    state = np.uint64(0)
    while at < end:
        code, size = code_point(data, at)
        kind = _kind(code, kinds)
        if kind == IGNORED:
            at += size
            continue
        if kind == JOINER and inside and at + size < end:
            after, _ = code_point(data, at + size)
            if _kind(after, kinds) == WORD:
                at += size
                continue
        if kind == WORD:
            if not inside:
                inside, state, starts[number] = True, _SEED, at
            folded = becomes[code] if code < PLANE else code
            state = (state ^ np.uint64(folded)) * np.uint64(0x100000001B3) ^ (state >> np.uint64(29))
            ends[number] = at + size
        elif inside:
            hashes[number], weights[number], inside = mixed(state), WEIGHT, False
            number += 1
        if kind == SIGN:
            folded = becomes[code] if code < PLANE else code
            hashes[number], weights[number] = mixed(np.uint64(folded) + _SEED), 1
            starts[number], ends[number] = at, at + size
            number += 1
        at += size
    if inside:
        hashes[number], weights[number] = mixed(state), WEIGHT
        number += 1
    return number


@njit(cache=True, nogil=True)
def prefix_hashes(hashes: Array, number: int, prefix: Array) -> None:
    """Writes the polynomial hash of the first 0, 1 … ``number`` units."""
    prefix[0] = np.uint64(0)
    for i in range(number):
        prefix[i + 1] = prefix[i] * _BASE + hashes[i]


@njit(cache=True, nogil=True)
def powers(most: int) -> Array:
    """Returns the base of the polynomial to the power of 0, 1 … ``most``."""
    found = np.empty(most + 1, np.uint64)
    found[0] = np.uint64(1)
    for i in range(most):
        found[i + 1] = found[i] * _BASE
    return found


@njit(cache=True, nogil=True)
def span_hash(prefix: Array, power: Array, start: int, end: int) -> Any:
    """Returns the hash of the units from ``start`` to ``end``."""
    return mixed(prefix[end] - prefix[start] * power[end - start])


@njit(cache=True, nogil=True)
def _all_units(data: Array, offsets: Array, becomes: Array, kinds: Array) -> tuple[Array, Array, Array, Array, Array]:
    room = data.size + 1
    hashes, weights = np.empty(room, np.uint64), np.empty(room, np.uint8)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    bounds = np.zeros(offsets.size, np.int64)
    for text in range(offsets.size - 1):
        at = bounds[text]
        found = read_units(
            data, offsets[text], offsets[text + 1], becomes, kinds, hashes[at:], weights[at:], starts[at:], ends[at:]
        )
        bounds[text + 1] = at + found
    total = bounds[-1]
    return hashes[:total].copy(), weights[:total].copy(), starts[:total].copy(), ends[:total].copy(), bounds


def packed(texts: pl.Series) -> tuple[Array, Array, Array]:
    """Returns the UTF-8 bytes of the texts, their offsets and the table of kinds; texts with hard characters are
    settled first, and all texts are then read by the calm table.
    """
    data, offsets = _buffers(texts)
    _, kinds, calm = tables()
    hard = has_hard(data, offsets, kinds)
    if hard.any():
        texts = texts.clone().scatter(np.flatnonzero(hard), settled(texts.filter(pl.Series(hard))))
        data, offsets = _buffers(texts)
    return data, offsets, calm


def _buffers(texts: pl.Series) -> tuple[Array, Array]:
    sizes = texts.str.len_bytes().to_numpy().astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return np.frombuffer(b"".join(texts.cast(pl.Binary).to_list()), np.uint8), offsets


class Units(NamedTuple):
    """The units of some texts in one row: hashes (uint64), weights (uint8), byte bounds in ``data``; the bytes of text
    t are ``offsets[t]:offsets[t + 1]``, its units ``bounds[t]:bounds[t + 1]``.
    """

    data: Array
    offsets: Array
    hashes: Array
    weights: Array
    starts: Array
    ends: Array
    bounds: Array


def units_of(texts: pl.Series) -> Units:
    """Returns the units of texts."""
    data, offsets, kinds = packed(texts)
    return Units(data, offsets, *_all_units(data, offsets, tables()[0], kinds))
