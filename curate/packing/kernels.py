"""The compiled loops of packing: best-fit decreasing over a bitmap of free space, and the scatter into sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit

Array = np.ndarray[Any, Any]

_DEBRUIJN = np.uint64(0x03F79D71B4CB0A89)
_LOW_BIT = np.zeros(64, dtype=np.int64)
for _bit in range(64):
    _LOW_BIT[((1 << _bit) * 0x03F79D71B4CB0A89 & (1 << 64) - 1) >> 58] = _bit
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_SHIFT = np.uint64(58)


@njit(cache=True, nogil=True, inline="always")
def _lowest(word: np.uint64) -> int:
    """Returns the index of the lowest set bit of a non-zero word (de Bruijn multiplication)."""
    isolated = word & (~word + _ONE)
    return _LOW_BIT[(isolated * _DEBRUIJN) >> _SHIFT]


@njit(cache=True, nogil=True)
def _smallest_free(words: Array, summary: Array, need: int) -> int:
    """Returns the smallest free space >= ``need`` that some open sequence has, or -1; 64 x 64 spaces a step."""
    at = need >> 6
    word = (words[at] >> np.uint64(need & 63)) << np.uint64(need & 63)
    if word != _ZERO:
        return (at << 6) + _lowest(word)
    at += 1
    top = at >> 6
    if top >= summary.size:
        return -1
    high = (summary[top] >> np.uint64(at & 63)) << np.uint64(at & 63)
    while high == _ZERO:
        top += 1
        if top >= summary.size:
            return -1
        high = summary[top]
    at = (top << 6) + _lowest(high)
    return (at << 6) + _lowest(words[at])


@njit(cache=True, nogil=True)
def _shuffle(members: Array, count: int) -> None:
    """Puts ``members[:count]`` in a fixed pseudo-random order (Fisher-Yates over a 64-bit congruential generator)."""
    state = np.uint64(count)
    for k in range(count - 1, 0, -1):
        state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        other = np.int64((state >> np.uint64(33)) % np.uint64(k + 1))
        members[k], members[other] = members[other], members[k]


@njit(cache=True, nogil=True)
def _longest_first(lengths: Array, members: Array, count: int, capacity: int, out: Array) -> None:
    """Writes ``members[:count]`` to ``out`` longest first (counting sort).

    Equal lengths come shuffled: in stream order the early ones would systematically meet the fuller sequences,
    and a sequence's mix would depend on where in the window its documents stood.
    """
    _shuffle(members, count)
    starts = np.zeros(capacity + 2, dtype=np.int64)
    for k in range(count):
        starts[capacity - lengths[members[k]] + 1] += 1
    for v in range(capacity + 1):
        starts[v + 1] += starts[v]
    for k in range(count):
        bucket = capacity - lengths[members[k]]
        out[starts[bucket]] = members[k]
        starts[bucket] += 1


@njit(cache=True, nogil=True)
def _open(head: Array, following: Array, words: Array, summary: Array, sequence: int, left: int) -> None:
    """Offers ``left`` free places of a sequence to later documents."""
    following[sequence] = head[left]
    head[left] = sequence
    words[left >> 6] |= _ONE << np.uint64(left & 63)
    summary[left >> 12] |= _ONE << np.uint64((left >> 6) & 63)


@njit(cache=True, nogil=True)
def _take(head: Array, following: Array, words: Array, summary: Array, space: int) -> int:
    """Returns the newest sequence with exactly ``space`` free places and withdraws its offer."""
    sequence = head[space]
    head[space] = following[sequence]
    if head[space] < 0:
        words[space >> 6] &= ~(_ONE << np.uint64(space & 63))
        if words[space >> 6] == _ZERO:
            summary[space >> 12] &= ~(_ONE << np.uint64((space >> 6) & 63))
    return sequence


@njit(cache=True, nogil=True)
def _best_fit(
    lengths: Array,
    ordered: Array,
    capacity: int,
    end: int,
    carried: int,
    sequence_of: Array,
    free: Array,
    following: Array,
) -> int:
    """Puts documents, longest first, each into the fullest sequence with room; O(1) amortised a document.

    New sequences are numbered from ``end``; ``carried`` (-1 = none) is one left open by the window before.
    Writes ``sequence_of[document]`` and ``free[sequence]``; returns the new ``end``.
    """
    head = np.full(capacity + 1, -1, dtype=np.int64)
    words = np.zeros((capacity >> 6) + 1, dtype=np.uint64)
    summary = np.zeros((words.size >> 6) + 1, dtype=np.uint64)
    if carried >= 0:
        _open(head, following, words, summary, carried, free[carried])
    for document in ordered:
        need = lengths[document]
        space = _smallest_free(words, summary, need)
        if space < 0:
            sequence, space = end, capacity
            end += 1
        else:
            sequence = _take(head, following, words, summary, space)
        sequence_of[document] = sequence
        free[sequence] = space - need
        if space > need:
            _open(head, following, words, summary, sequence, space - need)
    return end


@njit(cache=True, nogil=True)
def pack_windows(
    lengths: Array, capacity: int, window_tokens: int, sequence_of: Array, free: Array, window_of: Array
) -> int:
    """Packs consecutive windows of the stream and returns how many sequences they make.

    A window closes at the first document that brings it to ``window_tokens``. The emptiest sequence a window
    opened stays open for the next one (once), so a short window wastes nothing. Documents longer than
    ``capacity`` keep ``sequence_of == -1``. ``free`` and ``window_of`` are per sequence, sized one a document.
    """
    members = np.empty(lengths.size, dtype=np.int64)
    ordered = np.empty(lengths.size, dtype=np.int64)
    following = np.empty(lengths.size, dtype=np.int64)
    end, window, count, tokens, carried = 0, 0, 0, 0, -1
    for document in range(lengths.size):
        if lengths[document] <= capacity:
            members[count] = document
            count += 1
            tokens += lengths[document]
        if count > 0 and (tokens >= window_tokens or document == lengths.size - 1):
            _longest_first(lengths, members, count, capacity, ordered)
            first = end
            end = _best_fit(lengths, ordered[:count], capacity, first, carried, sequence_of, free, following)
            window_of[first:end] = window
            carried = -1
            for sequence in range(first, end):
                if free[sequence] > 0 and (carried < 0 or free[sequence] > free[carried]):
                    carried = sequence
            if carried >= 0 and document < lengths.size - 1:
                window_of[carried] = window + 1
            window, count, tokens = window + 1, 0, 0
    return end


@njit(cache=True, nogil=True)
def place_by_sequence(sequence_of: Array, rank: Array, count: int) -> tuple[Array, Array]:
    """Lists documents sequence after sequence, sequences by ``rank``, documents by position: (order, bounds)."""
    bounds = np.zeros(count + 1, dtype=np.int64)
    for sequence in sequence_of:
        if sequence >= 0:
            bounds[rank[sequence] + 1] += 1
    for k in range(count):
        bounds[k + 1] += bounds[k]
    at = bounds[:-1].copy()
    order = np.empty(bounds[-1], dtype=np.int64)
    for document in range(sequence_of.size):
        sequence = sequence_of[document]
        if sequence >= 0:
            order[at[rank[sequence]]] = document
            at[rank[sequence]] += 1
    return order, bounds
