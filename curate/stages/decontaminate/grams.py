"""N-grams of one order in flat arrays, and the hash table that finds them, in compiled loops."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curate.compiled import njit
from curate.stages.decontaminate.units import powers, prefix_hashes, span_hash

Array = np.ndarray[Any, Any]


class Lookup(NamedTuple):
    """From a hash to a slot: ``keys`` (uint64, sorted) and ``table`` (int32, open addressing, -1 is empty)."""

    keys: Array
    table: Array


class Grams(NamedTuple):
    """One order of n-grams. A posting is an n-gram in a part, its bounds ``begin`` and ``end`` in units of the part.

    Postings are sorted by part: ``of_part[p]:of_part[p + 1]``. Those of a slot of ``lookup`` are
    ``by_slot[slots[s]:slots[s + 1]]``. ``own`` is what a part has of its own: the weight its n-grams cover together.
    """

    lookup: Lookup
    slots: Array
    by_slot: Array
    part: Array
    begin: Array
    end: Array
    of_part: Array
    own: Array


@njit(cache=True, nogil=True)
def run_grams(
    hashes: Array, weights: Array, starts: Array, ends: Array, size: int
) -> tuple[Array, Array, Array, Array]:
    """Returns hash, first unit, unit after the last and run of every n-gram of weight ``size`` inside the runs."""
    room = 0
    for run in range(starts.size):
        room += ends[run] - starts[run]
    keys, firsts, lasts, runs = (
        np.empty(room, np.uint64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
    )
    power, found = powers(2 * size + 2), 0
    for run in range(starts.size):
        low, number = starts[run], ends[run] - starts[run]
        prefix = np.empty(number + 1, np.uint64)
        prefix_hashes(hashes[low:], number, prefix)
        end, held = 0, 0
        for i in range(number):
            while end < number and held < size:
                held += weights[low + end]
                end += 1
            if held < size:
                break
            keys[found], firsts[found], lasts[found], runs[found] = (
                span_hash(prefix, power, i, end),
                low + i,
                low + end,
                run,
            )
            found += 1
            held -= weights[low + i]
    return keys[:found], firsts[:found], lasts[:found], runs[:found]


@njit(cache=True, nogil=True)
def _hash_table(keys: Array) -> Array:
    size = 16
    while size < 2 * keys.size:
        size *= 2
    table = np.full(size, -1, np.int32)
    for slot in range(keys.size):
        at = np.int64(keys[slot] & np.uint64(size - 1))
        while table[at] >= 0:
            at = (at + 1) & (size - 1)
        table[at] = slot
    return table


def lookup_of(keys: Array) -> Lookup:
    """Returns the lookup of distinct keys; slot i is the i-th smallest."""
    ordered = np.unique(keys.astype(np.uint64))
    return Lookup(ordered, _hash_table(ordered))


@njit(cache=True, nogil=True)
def slot_of(lookup: Lookup, key: Any) -> int:
    """Returns the slot of a hash, or -1."""
    size = lookup.table.size
    at = np.int64(key & np.uint64(size - 1))
    while lookup.table[at] >= 0:
        if lookup.keys[lookup.table[at]] == key:
            return int(lookup.table[at])
        at = (at + 1) & (size - 1)
    return -1


@njit(cache=True, nogil=True)
def _covered(of_part: Array, begin: Array, end: Array, before: Array, part_start: Array) -> Array:
    """Returns for each part the weight its n-grams cover together; ``before`` is the weight before each unit."""
    own = np.zeros(of_part.size - 1, np.int64)
    for part in range(own.size):
        reach = 0
        for posting in range(of_part[part], of_part[part + 1]):
            first = max(begin[posting], reach)
            if end[posting] > first:
                base = part_start[part]
                own[part] += before[base + end[posting]] - before[base + first]
                reach = end[posting]
    return own


def grams_of(postings: pl.DataFrame, part_start: Array, before: Array, openings: Array) -> Grams:
    """Returns the n-grams in ``postings`` (part, key, begin, end; sorted by part and begin).

    ``part_start`` is the first unit of each part, ``before`` the weight before each unit, ``openings`` are hashes to
    hold although they have no postings.
    """
    keys = postings["key"].to_numpy()
    lookup = lookup_of(np.concatenate([keys, openings.astype(np.uint64)]))
    slots = np.searchsorted(lookup.keys, keys)
    part, begin, end = (postings[name].to_numpy().astype(np.int32) for name in ("part", "begin", "end"))
    of_part = np.searchsorted(part, np.arange(part_start.size + 1)).astype(np.int64)
    return Grams(
        lookup=lookup,
        slots=np.searchsorted(np.sort(slots), np.arange(lookup.keys.size + 1)).astype(np.int64),
        by_slot=np.argsort(slots, kind="stable").astype(np.int32),
        part=part,
        begin=begin,
        end=end,
        of_part=of_part,
        own=_covered(of_part, begin, end, before, part_start),
    )
