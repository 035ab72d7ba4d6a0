"""The compiled loops of shingle sets: sorted, and the Jaccard similarity of two of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit
from curate.stages.dedup.shingle_loop import room, row_shingles, strip

Array = np.ndarray[Any, Any]


@njit(cache=True, nogil=True)
def _sorted_set(shingles: Array, count: int, out: Array, to: int) -> int:
    """Writes the distinct shingles in rising order and returns where the next go.

    They are hashes, hence even: one pass deals them to as many buckets by their high bits, insertion does the rest.
    """
    bits = 1
    while (1 << bits) < count and bits < 20:
        bits += 1
    shift = np.uint32(32 - bits)
    ends = np.zeros((1 << bits) + 1, np.int64)
    for at in range(count):
        ends[(shingles[at] >> shift) + 1] += 1
    for bucket in range(1, ends.size):
        ends[bucket] += ends[bucket - 1]
    dealt = np.empty(count, np.uint32)
    for at in range(count):
        bucket = shingles[at] >> shift
        dealt[ends[bucket]] = shingles[at]
        ends[bucket] += 1
    for at in range(1, count):
        value, place = dealt[at], at
        while place and dealt[place - 1] > value:
            dealt[place] = dealt[place - 1]
            place -= 1
        dealt[place] = value
    for at in range(count):
        if at == 0 or dealt[at] != dealt[at - 1]:
            out[to] = dealt[at]
            to += 1
    return to


@njit(cache=True, nogil=True)
def shingle_sets(
    data: Array, starts: Array, ends: Array, turns: Array, bounds: Array, whole: bool, becomes: Array, scaffold: Any
) -> tuple[Array, Array]:
    """Returns the sorted set of shingles (uint32) of each row, one behind the other, and the offsets of rows."""
    count = bounds.size - 1
    offsets = np.zeros(count + 1, np.int64)
    work = room(starts, ends, bounds)
    shingles, total = work[3], 0
    for piece in range(bounds[0], bounds[count]):
        total += ends[piece] - starts[piece]
    out = np.empty(total, np.uint32)
    for row in range(count):
        found = row_shingles(data, starts, ends, turns, bounds[row], bounds[row + 1], whole, becomes, work)
        left = strip(shingles, found, scaffold[0], scaffold[1])
        offsets[row + 1] = _sorted_set(shingles, left, out, offsets[row])
    return out[: offsets[count]], offsets


@njit(cache=True, nogil=True)
def strip_sets(values: Array, offsets: Array, scaffold: Any) -> tuple[Array, Array]:
    """Returns sets of shingles, as ``shingle_sets`` does, from the sets of all shingles of rows."""
    count = offsets.size - 1
    out, ends = np.empty(values.size, np.uint32), np.zeros(count + 1, np.int64)
    for row in range(count):
        shingles = values[offsets[row] : offsets[row + 1]].copy()
        left = strip(shingles, shingles.size, scaffold[0], scaffold[1])
        ends[row + 1] = _sorted_set(shingles, left, out, ends[row])
    return out[: ends[count]], ends


@njit(cache=True, nogil=True)
def jaccards(values: Array, offsets: Array, a: Array, b: Array, least: float) -> Array:
    """Returns the Jaccard similarity (float64) of pairs of sorted sets, or 0 as soon as it can't reach ``least``."""
    found = np.zeros(a.size, np.float64)
    for pair in range(a.size):
        i, end = offsets[a[pair]], offsets[a[pair] + 1]
        j, stop = offsets[b[pair]], offsets[b[pair] + 1]
        sizes = end - i + stop - j
        alone = sizes - 2 * np.ceil(least / (1 + least) * sizes - 1e-9)  # so many may be in one set only
        same = 0
        while i < end and j < stop:
            block = min(end - i, stop - j, 64)
            for _ in range(block):
                x, y = values[i], values[j]
                same += x == y
                i += x <= y
                j += y <= x
                if i == end or j == stop:
                    break
            if i - offsets[a[pair]] + j - offsets[b[pair]] - 2 * same > alone:
                break
        similarity = same / (sizes - same) if sizes else 0.0
        found[pair] = similarity if similarity >= least else 0.0
    return found
