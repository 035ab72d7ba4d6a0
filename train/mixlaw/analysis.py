"""What draws of an objective say of the best mixture: lower is better, one row a draw, one column a candidate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.mixlaw.surrogate import Array

LEVEL = 0.05
SMALLEST = 1e-12
TIED = 1e-12
ROUNDING = 1e-9


def p_best(draws: Array) -> Array:
    """Returns for each candidate [m] the share of draws [n, m] in which it is the best; ties share a draw evenly."""
    least = draws.min(axis=1, keepdims=True)
    best = draws <= least + TIED * np.maximum(np.abs(least), 1.0)
    return np.asarray(np.mean(best / best.sum(axis=1, keepdims=True), axis=0))


def expected_regret(draws: Array) -> Array:
    """Returns for each candidate [m] what it is expected to lose against the best candidate of each draw."""
    return np.asarray(np.mean(draws - draws.min(axis=1, keepdims=True), axis=0))


def indistinguishable_set(draws: Array, level: float = LEVEL) -> NDArray[np.bool_]:
    """Tells of each candidate [m] whether it is as good as the one of least mean in more than `level` of the draws."""
    best = int(np.argmin(draws.mean(axis=0)))
    return np.asarray(np.mean(draws <= draws[:, [best]], axis=0) > level)


def credible_shares(draws: Array, mixtures: Array, coverage: float = 0.9) -> tuple[Array, Array]:
    """Returns for each domain [d] the interval of its share in the best candidate; mixtures are [m, d].

    Bounds are shares of candidates: the chance that the best has a smaller share, or a larger one, is (1 - coverage) / 2
    at most. Candidates that all draws hold for equal are as likely to be the best, so without signal the interval is all there is.
    """
    chances, tail = p_best(draws), (1 - coverage) / 2
    order = np.argsort(mixtures, axis=0, kind="stable")
    sums, shares = np.cumsum(chances[order], axis=0), np.take_along_axis(mixtures, order, axis=0)
    low, high = np.argmax(sums > tail + ROUNDING, axis=0), np.argmax(sums >= 1 - tail - ROUNDING, axis=0)
    domains = np.arange(mixtures.shape[1])
    return shares[low, domains], shares[high, domains]


def measured_draws(values: Array, deviation: float, freedom: int, runs: Array, count: int, seed: int) -> Array:
    """Draws what mixtures [k] truly come to that were run: [count, k] around their measured means `values`.

    `deviation` of a single run was estimated with `freedom` degrees of freedom, so a mean of `runs` [k] is off by
    Student's t (Student 1908). A law says less of a mixture that was run than its own result does.
    """
    random = np.random.default_rng([seed, freedom])
    return np.asarray(values + deviation / np.sqrt(runs) * random.standard_t(freedom, (count, len(values))))


def divergence(mixtures: Array, prior: Array) -> Array:
    """Returns the Kullback-Leibler divergence [m] of mixtures [m, d] from a prior [d], both brought to sum 1."""
    shares = mixtures / mixtures.sum(axis=1, keepdims=True)
    rest = np.maximum(prior / prior.sum(), SMALLEST)
    return np.asarray(np.sum(shares * np.log(np.maximum(shares, SMALLEST) / rest), axis=1))


def recommend(draws: Array, mixtures: Array, prior: Array, level: float = LEVEL, rivals: Array | None = None) -> int:
    """Returns the number of the candidate nearest the prior (proportional, say) among those as good as the best.

    What another of these beats in all but `level` of the draws is passed over, and what one of the `rivals` beats (draws
    [n, k] of other mixtures, such as baselines that were run): the set is as wide as the best is uncertain, so that a
    mixture may be no worse than an uncertain best and yet clearly worse than a well-known one. The best in the mean is
    never passed over.
    """
    tied = np.flatnonzero(indistinguishable_set(draws, level))
    near = tied[np.argsort(divergence(mixtures[tied], prior), kind="stable")]
    others = draws[:, tied] if rivals is None else np.concatenate([draws[:, tied], rivals], axis=1)
    sound = (int(one) for one in near if np.mean(draws[:, [one]] <= others, axis=0).min() > level)
    return next(sound, int(np.argmin(draws.mean(axis=0))))
