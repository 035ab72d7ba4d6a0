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
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = np.ndarray[Any, Any]


def order_by_rows(counts: Sequence[int]) -> NDArray[np.int64]:
    """Returns the group of each place of a stream with ``counts[j]`` rows of group ``j``."""
    present = [group for group, count in enumerate(counts) if count]
    sizes = np.array([counts[group] for group in present], dtype=np.int64)
    if len(present) < 2:
        return np.repeat(np.array(present, dtype=np.int64), sizes)
    chosen: NDArray[np.int64] = np.array(present, dtype=np.int64)[_compiled_chairman()(sizes)]
    return chosen


def order_by_units(units: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Returns the group of each place of a stream in which group ``j`` has rows of ``units[j]``, in that order."""
    places = [_middles(weights) for weights in units]
    groups = np.repeat(np.arange(len(units), dtype=np.int64), [weights.size for weights in units])
    if not places:
        return groups
    return groups[np.argsort(np.concatenate(places), kind="stable")]


def _middles(weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns where the middle of each row falls in its group, from 0 to 1; rows without any unit stand evenly."""
    if not weights.any():
        return (np.arange(weights.size) + 0.5) / max(1, weights.size)
    ends = np.cumsum(weights, dtype=np.int64)
    middles: NDArray[np.float64] = (2 * ends - weights) / float(2 * ends[-1])
    return middles


@cache
def _compiled_chairman() -> Callable[[Array], Array]:
    from numba import njit

    compiled: Callable[[Array], Array] = njit(cache=True, nogil=True)(_chairman)
    return compiled


def _chairman(counts: Array) -> Array:
    """Chooses, among groups that may come at time t, the one that must come first; integers throughout.

    With N rows in all and credit_j = counts_j * t - N * (rows of j so far): group j may come once
    credit_j * (2K - 2) >= N, and must before its next row is late by 1 - 1/(2K - 2).
    """
    kinds = counts.size
    total = counts.sum()
    slack = 2 * kinds - 2
    credit = np.zeros(kinds, dtype=np.int64)
    release = np.empty(kinds, dtype=np.int64)
    deadline = np.empty(kinds, dtype=np.int64)
    for j in range(kinds):
        release[j] = -(-total // (slack * counts[j]))
        deadline[j] = -(-(slack - 1) * total // (slack * counts[j]))
    chosen = np.empty(total, dtype=np.int64)
    for t in range(1, total + 1):
        best = -1
        for j in range(kinds):
            credit[j] += counts[j]
            if release[j] <= t and (best < 0 or deadline[j] < deadline[best]):
                best = j
        chosen[t - 1] = best
        credit[best] -= total
        room = slack * counts[best]
        release[best] = t + -(-(total - slack * credit[best]) // room)
        deadline[best] = t + -(-((slack - 1) * total - slack * credit[best]) // room)
    return chosen
