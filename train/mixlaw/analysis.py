"""What draws of an objective say of the best mixture: lower is better, one row a draw, one column a candidate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.mixlaw.surrogate import Array

LEVEL = 0.05
SMALLEST = 1e-12


def p_best(draws: Array) -> Array:
    """Returns for each candidate [m] the share of draws [n, m] in which it is the best."""
    return np.bincount(np.argmin(draws, axis=1), minlength=draws.shape[1]) / len(draws)


def expected_regret(draws: Array) -> Array:
    """Returns for each candidate [m] what it is expected to lose against the best candidate of each draw."""
    return np.asarray(np.mean(draws - draws.min(axis=1, keepdims=True), axis=0))


def indistinguishable_set(draws: Array, level: float = LEVEL) -> NDArray[np.bool_]:
    """Tells of each candidate [m] whether it is as good as the one of least mean in more than `level` of the draws."""
    best = int(np.argmin(draws.mean(axis=0)))
    return np.asarray(np.mean(draws <= draws[:, [best]], axis=0) > level)


def credible_shares(draws: Array, mixtures: Array, coverage: float = 0.9) -> tuple[Array, Array]:
    """Returns for each domain [d] the interval of its share in the best candidate; mixtures are [m, d]."""
    best = mixtures[np.argmin(draws, axis=1)]
    low, high = np.quantile(best, [0.5 - coverage / 2, 0.5 + coverage / 2], axis=0)
    return low, high


def divergence(mixtures: Array, prior: Array) -> Array:
    """Returns the Kullback-Leibler divergence [m] of mixtures [m, d] from a prior [d], both brought to sum 1."""
    shares = mixtures / mixtures.sum(axis=1, keepdims=True)
    rest = np.maximum(prior / prior.sum(), SMALLEST)
    return np.asarray(np.sum(shares * np.log(np.maximum(shares, SMALLEST) / rest), axis=1))


def recommend(draws: Array, mixtures: Array, prior: Array, level: float = LEVEL) -> int:
    """Returns the number of the candidate nearest the prior (proportional, say) among those as good as the best."""
    tied = np.flatnonzero(indistinguishable_set(draws, level))
    return int(tied[np.argmin(divergence(mixtures[tied], prior))])
