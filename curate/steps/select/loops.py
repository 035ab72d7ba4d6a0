"""The compiled loops of a Select: pairs that share a key, the greedy choice, and components."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@njit(cache=True, nogil=True)
def _end_of_run(entries: Array, start: int) -> int:
    end = start + 1
    while end < entries.size and entries[end] >> _HALF == entries[start] >> _HALF:
        end += 1
    return end


@njit(cache=True, nogil=True)
def _pairs_in(rows: int, leaders: int) -> int:
    """Returns how many pairs are compared among rows that share a key."""
    few = min(rows, leaders)
    return few * (few - 1) // 2 + (rows - few) * few


@njit(cache=True, nogil=True)
def pairs_of(entries: Array, leaders: int) -> tuple[Array, Array]:
    """Returns the pairs (lower place in the high half) of entries that share a key, and what was left out.

    ``entries`` (uint64, sorted, no two alike) hold 32 bits of key and 32 of place. Of more than ``leaders`` rows with
    one key each is paired with the first ``leaders`` only; such crowds, their rows, the rows of the largest, and the
    pairs not made are counted (int64[4]).
    """
    crowds = np.zeros(4, np.int64)
    total, at = 0, 0
    while at < entries.size:
        end = _end_of_run(entries, at)
        rows = end - at
        total += _pairs_in(rows, leaders)
        if rows > leaders:
            crowds[0] += 1
            crowds[1] += rows
            crowds[2] = max(crowds[2], rows)
            crowds[3] += rows * (rows - 1) // 2 - _pairs_in(rows, leaders)
        at = end
    pairs = np.empty(total, np.uint64)
    at, to = 0, 0
    while at < entries.size:
        end = _end_of_run(entries, at)
        for first in range(at, min(end, at + leaders)):
            high = (entries[first] & _LOW) << _HALF
            for second in range(first + 1, end):
                pairs[to] = high | (entries[second] & _LOW)
                to += 1
        at = end
    return pairs, crowds


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
