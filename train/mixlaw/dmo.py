"""The DMO-SFT law, where totals vary: loss = E + C (n + k (N - n)^a)^-b, n tokens of the target's own domain out of N.

After 2508.11953 (ICML 2025). Amounts come in units of the mean total. Which domain is the target's own is not told: every one
is tried and the best fit stays, its number kept as the first parameter.
"""

from __future__ import annotations

import numpy as np

from train.mixlaw.least import Prior
from train.mixlaw.surrogate import Array

SMALLEST = 1e-6


def curve(theta: Array, mixtures: Array) -> tuple[Array, Array]:
    """Returns the law and its derivatives by (own domain, E, C, log k, logit a, log b); the first are zero."""
    own = mixtures[:, round(float(theta[0]))]
    rest = np.maximum(mixtures.sum(1) - own, SMALLEST)
    scale, decay = np.exp(np.clip(theta[[3, 5]], -30, 10))
    exponent = 1 / (1 + np.exp(-np.clip(theta[4], -30, 30)))
    others = scale * rest**exponent
    total = np.maximum(own + others, SMALLEST)
    power = np.exp(np.clip(-decay * np.log(total), -200, 200))
    by_total = -theta[2] * decay * power / total
    slopes = np.stack(
        [
            np.zeros_like(own),
            np.ones_like(own),
            power,
            by_total * others,
            by_total * others * np.log(rest) * exponent * (1 - exponent),
            -theta[2] * power * decay * np.log(total),
        ],
        1,
    )
    return theta[1] + theta[2] * power, slopes


def prior(domains: int) -> Prior:
    """Returns the prior, around the published fits: k near 1, a near 0.6, b near 0.2."""
    return Prior(np.array([0.0, 0.0, 0.0, -0.5, 0.4, -1.5]), np.array([np.inf, 10.0, 10.0, 1.5, 1.5, 1.0]))


def starts(mixtures: Array, losses: Array) -> list[Array]:
    """Returns a falling and a rising law for each domain taken as the target's own."""
    shape = [-0.5, 0.4, -1.0]
    return [
        np.array([own, -2.0 * sign, 2.0 * sign, *shape]) for own in range(mixtures.shape[1]) for sign in (1.0, -1.0)
    ]
