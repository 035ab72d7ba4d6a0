"""The scan: every turn is looked up in the index once, in one compiled loop, and candidates come out.

For each turn and each part of an item the loop keeps: which n-grams of the part the turn holds (so the share of the
part that is covered), the longest run of them, and how many short grams stand in a window of about the part's length
(by blocks of that length: this one and the one before). Memory is a few numbers for each posting and part, whatever the
number of rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from curate.compiled import njit
from curate.stages.decontaminate.folding import tables
from curate.stages.decontaminate.grams import Grams, slot_of
from curate.stages.decontaminate.index import LONGEST_EXACT, SHORT, Index, Sizes, Whole
from curate.stages.decontaminate.units import powers, prefix_hashes, read_units, span_hash

Array = np.ndarray[Any, Any]
COVERED, NEAR, WHOLE = 0, 1, 2
"""Candidates: n-grams cover some of a part; its short grams stand close together; the part stands there whole."""
FIELDS = ("text", "part", "kind", "value", "row_start", "row_end", "part_start", "part_end")
"""Columns of the candidates. ``value``: weight covered, or short grams found; row bounds are bytes of the texts, part
bounds units of the part."""


class _Found(NamedTuple):
    """What the loop remembers while it reads: of the postings the turn that held them last; of the parts their state."""

    seen_long: Array
    seen_short: Array
    touched_long: Array
    touched_short: Array
    last: Array  # row unit, posting of the last long hit; the running and the longest run's start
    block: Array  # of the last short hit: its block, count there, count in the block before, best, where
    whole: Array


class _Sets(NamedTuple):
    """The evaluation sets, as the loop reads them; ``before`` is the weight before each unit of all parts."""

    long: Grams
    short: Grams
    whole: Whole
    sizes: Sizes
    starts: Array
    before: Array
    floors: Array


class _Turn(NamedTuple):
    """Room for the units of one text: hashes, weights, byte bounds, prefix hashes; and for the parts it touches."""

    hashes: Array
    weights: Array
    low: Array
    high: Array
    prefix: Array
    long_parts: Array
    short_parts: Array


@njit(cache=True, nogil=True)
def _state(longs: int, shorts: int, parts: int) -> _Found:
    return _Found(
        np.full(longs, -1, np.int64),
        np.full(shorts, -1, np.int64),
        np.full(parts, -1, np.int64),
        np.full(parts, -1, np.int64),
        np.zeros((parts, 6), np.int64),
        np.zeros((parts, 5), np.int64),
        np.full(parts, -1, np.int64),
    )


@njit(cache=True, nogil=True)
def _long_hit(grams: Grams, slot: int, text: int, at: int, found: _Found, parts: Array, number: int) -> int:
    """Notes an n-gram of the turn in each part that has it; returns the number of parts touched."""
    for k in range(grams.slots[slot], grams.slots[slot + 1]):
        posting = grams.by_slot[k]
        part = grams.part[posting]
        if found.touched_long[part] != text:
            found.touched_long[part] = text
            parts[number] = part
            number += 1
            (
                found.last[part, 0],
                found.last[part, 1],
                found.last[part, 2],
                found.last[part, 3],
                found.last[part, 4],
                found.last[part, 5],
            ) = at, posting, at, posting, 1, 0
            run = 1
        elif found.last[part, 0] == at - 1 and found.last[part, 1] == posting - 1:
            run = at - found.last[part, 2] + 1
        else:
            found.last[part, 2], run = at, 1
        found.last[part, 0], found.last[part, 1] = at, posting
        if run >= found.last[part, 4]:
            found.last[part, 4], found.last[part, 3], found.last[part, 5] = run, posting, at
        found.seen_long[posting] = text
    return number


@njit(cache=True, nogil=True)
def _short_hit(
    grams: Grams, slot: int, sizes: Sizes, text: int, at: int, found: _Found, parts: Array, number: int
) -> int:
    """Counts a short gram of the turn in the block it stands in, for each part that has it."""
    for k in range(grams.slots[slot], grams.slots[slot + 1]):
        posting = grams.by_slot[k]
        part = grams.part[posting]
        block = at // max(np.int64(4), sizes.units[part])
        if found.touched_short[part] != text:
            found.touched_short[part] = text
            parts[number] = part
            number += 1
            (
                found.block[part, 0],
                found.block[part, 1],
                found.block[part, 2],
                found.block[part, 3],
                found.block[part, 4],
            ) = block, 0, 0, 0, at
        elif found.block[part, 0] != block:
            found.block[part, 2] = found.block[part, 1] if found.block[part, 0] == block - 1 else 0
            found.block[part, 0], found.block[part, 1] = block, 0
        mark = (text << 31) | block
        if found.seen_short[posting] != mark:
            found.seen_short[posting] = mark
            found.block[part, 1] += 1
            if found.block[part, 1] + found.block[part, 2] > found.block[part, 3]:
                found.block[part, 3], found.block[part, 4] = found.block[part, 1] + found.block[part, 2], at
    return number


@njit(cache=True, nogil=True)
def _covered(grams: Grams, part: int, text: int, seen: Array, starts: Array, before: Array) -> int:
    """Returns the weight of the part that the turn's n-grams cover."""
    total, base = 0, starts[part]
    reach: Any = 0
    for posting in range(grams.of_part[part], grams.of_part[part + 1]):
        if seen[posting] == text:
            first, last = grams.begin[posting], grams.end[posting]
            if first < reach:
                first = reach
            if last > first:
                total += before[base + last] - before[base + first]
                reach = last
    return total


@njit(cache=True, nogil=True)
def _room(out: Array, number: int) -> Array:
    if number < out.shape[0]:
        return out
    grown = np.empty((2 * out.shape[0], out.shape[1]), np.int64)
    grown[:number] = out[:number]
    return grown


@njit(cache=True, nogil=True)
def _emit(out: Array, number: int, values: tuple[Any, ...]) -> tuple[Array, int]:
    out = _room(out, number)
    for column in range(8):
        out[number, column] = values[column]
    return out, number + 1


@njit(cache=True, nogil=True)
def _scan(data: Array, offsets: Array, becomes: Array, kinds: Array, size: int, sets: _Sets) -> tuple[Array, Array]:
    longest = 0
    for text in range(offsets.size - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    parts = sets.sizes.item.size
    turn = _Turn(
        np.empty(longest + 1, np.uint64),
        np.empty(longest + 1, np.uint8),
        np.empty(longest + 1, np.int64),
        np.empty(longest + 1, np.int64),
        np.empty(longest + 2, np.uint64),
        np.empty(parts, np.int64),
        np.empty(parts, np.int64),
    )
    found = _state(sets.long.part.size, sets.short.part.size, parts)
    best = np.zeros(parts, np.int64)
    power = powers(2 * max(size, LONGEST_EXACT) + 2)
    out, rows = np.empty((1024, 8), np.int64), 0
    for text in range(offsets.size - 1):
        units = read_units(
            data, offsets[text], offsets[text + 1], becomes, kinds, turn.hashes, turn.weights, turn.low, turn.high
        )
        prefix_hashes(turn.hashes, units, turn.prefix)
        longs, shorts, out, rows = _look_up(sets, text, units, size, turn, power, found, out, rows)
        out, rows = _long_ends(sets, text, units, size, turn, longs, found, out, rows)
        out, rows = _short_ends(sets, text, units, turn, shorts, found, best, out, rows)
    return out[:rows], best


@njit(cache=True, nogil=True)
def _look_up(
    sets: _Sets, text: int, units: int, size: int, turn: _Turn, power: Array, found: _Found, out: Array, rows: int
) -> tuple[int, int, Array, int]:
    """Looks up every short gram and n-gram of a text; returns how many parts they touch, and the candidates."""
    longs, shorts, end, near, held, near_held = 0, 0, 0, 0, 0, 0
    for at in range(units):
        while near < units and near_held < SHORT:
            near_held += turn.weights[near]
            near += 1
        if near_held < SHORT:
            break
        slot = slot_of(sets.short.lookup, span_hash(turn.prefix, power, at, near))
        near_held -= turn.weights[at]
        if slot >= 0:
            shorts = _short_hit(sets.short, slot, sets.sizes, text, at, found, turn.short_parts, shorts)
            out, rows = _whole_hits(sets.whole, slot, text, at, units, turn, power, found, out, rows)
        while end < units and held < size:
            held += turn.weights[end]
            end += 1
        if held >= size:
            slot = slot_of(sets.long.lookup, span_hash(turn.prefix, power, at, end))
            if slot >= 0:
                longs = _long_hit(sets.long, slot, text, at, found, turn.long_parts, longs)
        held -= turn.weights[at]
    return longs, shorts, out, rows


@njit(cache=True, nogil=True)
def _whole_hits(
    whole: Whole,
    slot: int,
    text: int,
    at: int,
    units: int,
    turn: _Turn,
    power: Array,
    found: _Found,
    out: Array,
    rows: int,
) -> tuple[Array, int]:
    """Emits the short questions that stand whole at a unit of the turn, the first time each does."""
    mask = whole.lengths[slot]
    for length in range(1, LONGEST_EXACT + 1):
        if mask >> np.uint64(length) == 0 or at + length > units:
            break
        if not (mask >> np.uint64(length)) & np.uint64(1):
            continue
        hit = slot_of(whole.lookup, span_hash(turn.prefix, power, at, at + length))
        if hit < 0:
            continue
        for k in range(whole.starts[hit], whole.starts[hit + 1]):
            part = whole.parts[k]
            if found.whole[part] != text:
                found.whole[part] = text
                bounds = (turn.low[at], turn.high[at + length - 1])
                out, rows = _emit(out, rows, (text, part, WHOLE, units, bounds[0], bounds[1], 0, length))
    return out, rows


@njit(cache=True, nogil=True)
def _long_ends(
    sets: _Sets, text: int, units: int, size: int, turn: _Turn, touched: int, found: _Found, out: Array, rows: int
) -> tuple[Array, int]:
    """Emits the parts of which the turn's n-grams cover at least the floor."""
    for part in turn.long_parts[:touched]:
        covered = _covered(sets.long, part, text, found.seen_long, sets.starts, sets.before)
        if covered < sets.floors[part]:
            continue
        finish, posting, run = found.last[part, 5], found.last[part, 3], found.last[part, 4]
        end, held = finish, 0
        while end < units and held < size:
            held += turn.weights[end]
            end += 1
        first, last = np.int64(sets.long.begin[posting - run + 1]), np.int64(sets.long.end[posting])
        bounds = (turn.low[finish - run + 1], turn.high[end - 1])
        out, rows = _emit(out, rows, (text, part, COVERED, covered, bounds[0], bounds[1], first, last))
    return out, rows


@njit(cache=True, nogil=True)
def _short_ends(
    sets: _Sets, text: int, units: int, turn: _Turn, touched: int, found: _Found, best: Array, out: Array, rows: int
) -> tuple[Array, int]:
    """Emits the parts with half of their short grams in one window, and keeps the most found of each part."""
    for part in turn.short_parts[:touched]:
        count, at = found.block[part, 3], found.block[part, 4]
        own = sets.short.of_part[part + 1] - sets.short.of_part[part]
        count = min(count, own)
        best[part] = max(best[part], count)
        if count < 2 or 2 * count < own or found.whole[part] == text:
            continue
        length = max(np.int64(4), sets.sizes.units[part])
        first, last = max(np.int64(0), at - 2 * length - 4), min(np.int64(units), at + length + 4)
        bounds = (turn.low[first], turn.high[last - 1])
        out, rows = _emit(out, rows, (text, part, NEAR, count, bounds[0], bounds[1], 0, sets.sizes.units[part]))
    return out, rows


def scan(index: Index, data: Array, offsets: Array, kinds: Array, ngram: int, floors: Array) -> tuple[Array, Array]:
    """Returns the candidates (int64, columns FIELDS) in the order of the texts, and the most short grams of each part
    that stand in one window of one text. ``ngram`` is the n-grams' weight, ``floors`` the weight of each part that must
    be covered.
    """
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(index.weights, dtype=np.int64)])
    sets = _Sets(index.long, index.short, index.whole, index.sizes, index.starts, before, floors)
    return _scan(data, offsets, tables()[0], kinds, ngram, sets)
