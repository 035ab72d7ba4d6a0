"""Which run would help most: the expected reduction of regret by one more trial of each mixture.

With draws of the objective at all candidates, a run at c with outcome y moves every mean by cov(·, c) / sqrt(var(c) +
noise²) times a standard normal; the gain is how much the least mean is expected to fall (the knowledge gradient for
correlated beliefs; Frazier, Powell & Dayanik 2009). Regret of the recommended mix falls by just that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]

OUTCOMES = 31
AT_ONCE = 32
MOST = 1024
"""Candidates looked at: those of the lowest tenth percentile, where there are more."""


def next_trials(
    draws: Array, noise: float, count: int, allowed: Sequence[int], confirm: bool = False
) -> list[tuple[int, float]]:
    """Returns the candidates to run next with the expected gain of each given those before it, most useful first.

    `draws` [n, m] are joint draws of the objective; `noise` is the deviation of one run; `allowed` are the candidates
    that may be run, each once. With `confirm` the first is the one of least mean, where it may be run. Ties go to the lower mean.
    """
    kept = np.arange(draws.shape[1])
    if len(kept) > MOST:
        kept = np.sort(np.argsort(np.quantile(draws, 0.1, axis=0), kind="stable")[:MOST])
    mean = draws[:, kept].mean(axis=0)
    covariance = np.atleast_2d(np.cov(draws[:, kept], rowvar=False))
    left = np.isin(kept, np.asarray(allowed, dtype=np.int64))
    chosen: list[tuple[int, float]] = []
    for turn in range(min(count, int(left.sum()))):
        moves = _moves(covariance, noise)
        gains = np.where(left, expected_gain(mean, moves), -1.0)
        least = int(np.argmin(mean))
        best = least if confirm and not turn and left[least] else int(np.lexsort((mean, -np.round(gains, 9)))[0])
        chosen.append((int(kept[best]), float(gains[best])))
        left[best] = False
        covariance = covariance - np.outer(moves[best], moves[best])
    return chosen


def _moves(covariance: Array, noise: float) -> Array:
    """Returns how far each mean [candidate run, mean] moves with one standard deviation of a run's outcome."""
    variance = np.maximum(np.diag(covariance), 0.0)
    return np.asarray(covariance / np.sqrt(np.maximum(variance + noise**2, 1e-300))[:, None])


def expected_gain(mean: Array, moves: Array) -> Array:
    """Returns for each run [m] how much the least of `mean` [m] falls in expectation; `moves` as [run, mean]."""
    outcomes = ndtri((np.arange(OUTCOMES) + 0.5) / OUTCOMES)
    gains = np.empty(len(moves))
    for start in range(0, len(moves), AT_ONCE):
        part = moves[start : start + AT_ONCE]
        least = (mean + part[:, None, :] * outcomes[None, :, None]).min(axis=2)
        gains[start : start + AT_ONCE] = mean.min() - least.mean(axis=1)
    return np.maximum(gains, 0.0)
