"""The order of a mixture's stream: every prefix has the shares of the whole.

Counted in rows: Tijdeman's chairman assignment (1980). With K groups of shares s_j, after any n rows group j has
s_j * n rows to within 1 - 1/(2K - 2), the best bound possible.

Counted in tokens: rows stand at the middle of the span they cover of their group, all groups scaled to one length.
After any prefix of A units, group j has s_j * A units to within ((1 - s_j) * m_j + s_j * sum of the other m_k) / 2,
where m_k is the longest row of group k: at a point x of the common length every group is within m_k / 2 of x * U_k.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.ranks import keyed_ranks_of

Array = np.ndarray[Any, Any]


def order_by_rows(counts: Sequence[int]) -> NDArray[np.int64]:
    """Returns the group of each place of a stream with ``counts[j]`` rows of group ``j``."""
    present = [group for group, count in enumerate(counts) if count]
    sizes = np.array([counts[group] for group in present], dtype=np.int64)
    if len(present) < 2:
        return np.repeat(np.array(present, dtype=np.int64), sizes)
    if 2 * len(present) * int(sizes.sum()) * int(sizes.max()) >= 1 << 62:  # the chairman's integers would overflow
        middles = _by_middles([np.ones(size, dtype=np.int64) for size in sizes])
        return np.repeat(np.array(present, dtype=np.int64), sizes)[middles]
    chosen: NDArray[np.int64] = np.array(present, dtype=np.int64)[_compiled_chairman()(sizes)]
    return chosen


def mixed(group_of: NDArray[np.int32], groups: int, units: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Returns the order of places that lie group after group, so that every prefix has the shares of the whole.

    ``units`` is what each place counts for; None counts places.
    """
    counts = np.bincount(group_of, minlength=groups)
    if units is None:
        return _invert(order_by_rows(counts.tolist()))
    return _by_middles(np.split(units, np.cumsum(counts)[:-1]))


def shuffled(ids: NDArray[np.uint64], passes: NDArray[np.int16], seed: int) -> NDArray[np.int64]:
    """Returns the order of places by a hash of seed, row id and pass; equal hashes by id and pass."""
    purposes = [f"shuffle\0{number}" for number in range(int(passes.max(initial=0)) + 1)]
    hashed = keyed_ranks_of(ids, seed, purposes, passes)
    order = np.argsort(hashed)
    if (np.diff(hashed[order]) == 0).any():
        order = np.lexsort((passes, ids[:, 1], ids[:, 0], hashed))
    return order.astype(np.int64, copy=False)


def _invert(chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns which of the places, lying group after group, stands where ``chosen`` names its group."""
    small = chosen.astype(np.int16) if chosen.size and chosen.max() < 1 << 15 else chosen
    order = np.empty(chosen.size, dtype=np.int64)
    order[np.argsort(small, kind="stable")] = np.arange(chosen.size)
    return order


def _by_middles(units: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    if not units:
        return np.empty(0, dtype=np.int64)
    return np.argsort(np.concatenate([_middles(weights) for weights in units]), kind="stable").astype(np.int64)


def order_by_units(units: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Returns the group of each place of a stream in which group ``j`` has rows of ``units[j]``, in that order."""
    groups = np.repeat(np.arange(len(units), dtype=np.int64), [weights.size for weights in units])
    return groups[_by_middles(units)]


def _middles(weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns where the middle of each row falls in its group, from 0 to 1; rows without any unit stand evenly."""
    if not weights.any():
        return (np.arange(weights.size) + 0.5) / max(1, weights.size)
    ends = np.cumsum(weights, dtype=np.int64)
    middles: NDArray[np.float64] = (2 * ends - weights) / float(2 * ends[-1])
    return middles


@cache
def _compiled_chairman() -> Callable[[Array], Array]:
    from curate.compiled import njit

    compiled: Callable[[Array], Array] = njit(cache=True, nogil=True)(_chairman)
    return compiled


def _chairman(counts: Array) -> Array:
    """Chooses, among groups that may come at time t, the one that must come first; integers throughout.

    With N rows in all and credit_j = counts_j * t - N * (rows of j so far): group j may come once
    credit_j * (2K - 2) >= N, and must before its next row is late by 1 - 1/(2K - 2). Groups wait in a heap by the time
    they may come and move to one by the time they must; equal times by number.
    """
    kinds = counts.size
    total = counts.sum()
    slack = 2 * kinds - 2
    given = np.zeros(kinds, dtype=np.int64)
    waiting = [(-(-total // (slack * counts[j])), j) for j in range(kinds)]
    heapify(waiting)
    ready = [(np.int64(0), 0) for _ in range(0)]
    chosen = np.empty(total, dtype=np.int64)
    for t in range(1, total + 1):
        while waiting and waiting[0][0] <= t:
            j = heappop(waiting)[1]
            late = (slack - 1) * total + slack * total * given[j]
            heappush(ready, (-(-late // (slack * counts[j])), j))
        best = heappop(ready)[1]
        chosen[t - 1] = best
        given[best] += 1
        heappush(waiting, (-(-(total + slack * total * given[best]) // (slack * counts[best])), best))
    return chosen
