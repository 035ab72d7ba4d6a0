"""The compiled loop over a block of dot products: which pairs are noted."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit

Array = np.ndarray[Any, Any]


@njit(cache=True, nogil=True)
def noted(
    dots: Array,
    inverse: Array,
    salts: Array,
    row: int,
    column: int,
    floor: int,
    scale: int,
    level: int,
    most: int,
    counts: Array,
) -> tuple[Array, Array, Array, int]:
    """Returns the pairs (row, better row, score) of a block of dot products that are similar enough, and how many not.

    ``dots`` (float32[rows, columns]) belong to the rows from ``row`` and ``column`` on; ``inverse`` (float64) and
    ``salts`` (int64) to all rows. A score is the cosine in parts of ``scale``, rounded; a pair needs ``floor``. Of the
    pairs of a row, better rows first, ``most`` are noted at each score cut to ``level``, and what is left out for
    that is counted; ``counts`` (uint16[rows of the block, levels]) goes from block to block of columns.
    """
    to, left = 0, 0
    rows, columns, scores = np.empty(1024, np.int64), np.empty(1024, np.int64), np.empty(1024, np.int64)
    top = counts.shape[1] - 1
    ahead = inverse[column : column + dots.shape[1]]
    shortest = ahead.max() if ahead.size else 0.0
    for at in range(dots.shape[0]):
        me = row + at
        if inverse[me] == 0 or shortest == 0:
            continue
        enough = np.float32((floor - 1) / (scale * inverse[me] * shortest))
        for other in range(min(dots.shape[1], me - column)):
            if dots[at, other] < enough or salts[column + other] != salts[me]:
                continue
            cosine = np.float64(dots[at, other]) * (inverse[me] * inverse[column + other])
            score = np.int64(min(np.floor(cosine * scale + 0.5), float(scale)))
            if score < floor:
                continue
            mine = min((score - floor) // level, top)
            if counts[at, mine] >= most:
                left += 1
                continue
            for below in range(mine + 1):
                counts[at, below] = min(counts[at, below] + 1, 65535)
            if to == rows.size:
                rows = np.concatenate((rows, np.empty_like(rows)))
                columns = np.concatenate((columns, np.empty_like(columns)))
                scores = np.concatenate((scores, np.empty_like(scores)))
            rows[to], columns[to], scores[to] = me, column + other, score
            to += 1
    return rows[:to], columns[:to], scores[:to], left
