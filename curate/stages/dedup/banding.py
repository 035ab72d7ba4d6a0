"""Banding: how many bands of how many hashes find similar pairs, solved from a threshold and a recall.

Two sets of Jaccard similarity s share a band of r MinHash values with probability s^r, and one of b bands with
1 - (1 - s^r)^b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4.2).
"""

from __future__ import annotations

import math
from typing import NamedTuple

MARGIN = 0.05
"""The recall is promised for pairs this far above the threshold."""

UNRELATED = 0.3
"""Similarity that two rows of one narrow domain may well have."""

MOST_NOISE = 0.01
"""Share of unrelated pairs that may share a band."""

MOST_BANDS = 64


class Bands(NamedTuple):
    """Bands and hashes in each."""

    bands: int
    rows: int


def solve(threshold: float, recall: float) -> Bands:
    """Returns the fewest bands that find pairs at ``threshold + 0.05`` with the recall and few unrelated ones.

    Where more than 64 bands would be needed to keep unrelated pairs out, the longest bands that 64 allow.
    """
    best = Bands(1, 1)
    for rows in range(1, 33):
        hit = min(1.0, threshold + MARGIN) ** rows
        bands = 1 if hit >= 1 else math.ceil(math.log1p(-recall) / math.log1p(-hit))
        if bands > MOST_BANDS:
            return best
        best = Bands(bands, rows)
        if found(UNRELATED, best) <= MOST_NOISE:
            return best
    return best


def most_apart(threshold: float, bits: int) -> int:
    """Returns in how many of some one-bit MinHashes rows at the threshold differ at most, but for one pair in 30,000.

    Two such bits are equal with probability (1 + s) / 2 (Li and König, WWW 2010); four standard deviations are allowed.
    """
    apart = (1 - threshold) / 2
    return math.ceil(bits * apart + 4 * math.sqrt(bits * apart * (1 - apart)))


def found(similarity: float, bands: Bands) -> float:
    """Returns the probability that a pair of this similarity becomes a candidate."""
    return float(-math.expm1(bands.bands * math.log1p(-(similarity**bands.rows)))) if similarity < 1 else 1.0
