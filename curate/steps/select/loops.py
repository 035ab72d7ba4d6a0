"""The compiled loops of a Select: pairs that share a key, the greedy choice, and components."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit

Array = np.ndarray[Any, Any]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_BITS_PER_ENTRY = 8


@njit(cache=True, nogil=True)
def _end_of_run(entries: Array, start: int) -> int:
    end = start + 1
    while end < entries.size and entries[end] >> _HALF == entries[start] >> _HALF:
        end += 1
    return end


@njit(cache=True, nogil=True, inline="always")
def _ones(word: Any) -> Any:
    """Returns the number of set bits of a word (Warren, Hacker's Delight, 5-1)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True)
def _apart(bits: Array, a: Any, b: Any) -> int:
    count = 0
    for word in range(bits.shape[1]):
        count += _ones(bits[a, word] ^ bits[b, word])
    return count


@njit(cache=True, nogil=True)
def dealt(keys: Array, buckets: int) -> tuple[Array, Array]:
    """Deals keys (uint64[rows, keys of each]) to buckets by their high halves.

    Returns entries (uint64: the low half of a key, then the row), by bucket and in each as they stand, and where the
    entries of each bucket begin, and the last end.
    """
    number, bounds = np.uint32(buckets), np.zeros(buckets + 1, np.int64)
    for row in range(keys.shape[0]):
        for key in keys[row]:
            bounds[np.uint32(key >> _HALF) % number + 1] += 1
    bounds = np.cumsum(bounds)
    out, to = np.empty(keys.size, np.uint64), bounds.copy()
    for row in range(keys.shape[0]):
        for key in keys[row]:
            bucket = np.uint32(key >> _HALF) % number
            out[to[bucket]] = key << _HALF | np.uint64(row)
            to[bucket] += 1
    return out, bounds


@njit(cache=True, nogil=True)
def meeting(entries: Array) -> Array:
    """Returns the entries (uint64, distributed evenly) that may share their 32 bits of key with another one.

    Most share it with none, and a look at a table of bits costs less than to sort them.
    """
    size = 16
    while size < 32 and (1 << size) < _BITS_PER_ENTRY * entries.size:
        size += 1
    once, twice = np.zeros(1 << (size - 3), np.uint8), np.zeros(1 << (size - 3), np.uint8)
    shift, eight, three = np.uint64(64 - size), np.uint64(7), np.uint64(3)
    for entry in entries:
        slot = entry >> shift
        bit = np.uint8(1) << (slot & eight)
        twice[slot >> three] |= once[slot >> three] & bit
        once[slot >> three] |= bit
    out, to = np.empty_like(entries), np.uintp(0)
    for entry in entries:
        slot = entry >> shift
        out[to] = entry
        to += (twice[slot >> three] >> (slot & eight)) & np.uint8(1)
    return out[:to]


@njit(cache=True, nogil=True)
def pairs_of(
    entries: Array, bits: Array, most_apart: int, earlier: int, leaders: int, most: int
) -> tuple[Array, Array]:
    """Returns the pairs (lower place in the high half) of entries that share a key, and what was left out.

    ``entries`` (uint64, sorted, no two alike) hold 32 bits of key and 32 of place. A row is looked at with the first
    ``leaders`` rows of its key and paired with those whose ``bits`` (uint64[places, words]) are at most ``most_apart``
    from its own, ``most`` at most; places below ``earlier`` are not paired with each other. Crowds (keys with more rows than leaders), their rows, the rows of the largest,
    and all pairs not looked at are counted (int64[4]).
    """
    crowds, pairs, to = np.zeros(4, np.int64), np.empty(max(1024, entries.size), np.uint64), 0
    at = 0
    while at < entries.size:
        end = _end_of_run(entries, at)
        rows = end - at
        if rows > leaders:
            crowds[0] += 1
            crowds[1] += rows
            crowds[2] = max(crowds[2], rows)
            crowds[3] += (rows - leaders) * (rows - leaders - 1) // 2
        for second in range(at + 1, end):
            if to + most > pairs.size:
                larger = np.empty(2 * pairs.size, np.uint64)
                larger[:to] = pairs[:to]
                pairs = larger
            place, start = entries[second] & _LOW, to
            if np.int64(place) < earlier:
                continue
            last = min(second, at + leaders)
            for first in range(at, last):
                leader = entries[first] & _LOW
                if _apart(bits, np.int64(leader), np.int64(place)) <= most_apart:
                    pairs[to] = (leader << _HALF) | place
                    to += 1
                    if to - start == most:
                        crowds[3] += last - first - 1
                        break
        at = end
    return pairs[:to], crowds


@njit(cache=True, nogil=True)
def greedy(a: Array, b: Array, score: Array, rows: int, fixed: int) -> tuple[Array, Array]:
    """Returns for each of ``rows`` rows in keep order the row it is dropped for (int64, -1 = it stays) and the score.

    Edges (a < b) are sorted by b. A row goes for the most similar of its better neighbours that stay, the better one
    of equals; the first ``fixed`` rows stay whatever their edges.
    """
    other, similar = np.full(rows, -1, np.int64), np.zeros(rows, np.float64)
    for edge in range(a.size):
        row, better = b[edge], a[edge]
        if row < fixed or other[better] >= 0:
            continue
        closer = score[edge] > similar[row] or (score[edge] == similar[row] and better < other[row])
        if other[row] < 0 or closer:
            other[row], similar[row] = better, score[edge]
    return other, similar


@njit(cache=True, nogil=True)
def _root(parents: Array, node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@njit(cache=True, nogil=True)
def components(a: Array, b: Array, nodes: int) -> Array:
    """Returns for each node (int64) the least node it is connected to by the edges."""
    parents = np.arange(nodes)
    for edge in range(a.size):
        one, other = _root(parents, a[edge]), _root(parents, b[edge])
        parents[max(one, other)] = min(one, other)
    for node in range(nodes):
        parents[node] = _root(parents, node)
    return parents
