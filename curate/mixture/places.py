"""The places of a mixture before they are put in order: group after group, pass after pass, by rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.mixture.index import Group


@dataclass(frozen=True)
class Places:
    """One entry a place of the stream to be, in the order of groups."""

    rows: NDArray[np.int64]
    """Places in the index."""
    passes: NDArray[np.int16]
    group_of: NDArray[np.int32]


def lay_out(groups: Sequence[Group], taken: Sequence[int]) -> Places:
    """Returns ``taken[k]`` places of group ``k``: whole passes over its rows in rank order, then a prefix."""
    counts = np.array(taken, dtype=np.int64)
    rows = np.empty(counts.sum(), dtype=np.int64)
    passes = np.zeros(rows.size, dtype=np.int16)
    start = 0
    for group, count in zip(groups, taken, strict=True):
        for number, at in enumerate(range(0, count, max(1, group.rows.size))):
            part = min(group.rows.size, count - at)
            rows[start + at : start + at + part] = group.rows[:part]
            passes[start + at : start + at + part] = number
        start += count
    return Places(rows, passes, np.repeat(np.arange(len(groups), dtype=np.int32), counts))
