"""The log-linear mixing law: loss = c + k exp(t . r), after Ye et al., Data Mixing Laws (2403.16952), equation 1.

The paper's k is positive; here its sign is fitted, so that a metric that rises with good data can be a target too.
"""

from __future__ import annotations

import numpy as np

from train.mixlaw.least import Prior
from train.mixlaw.surrogate import Array

GAPS = (0.1, 0.5, 2.0)
"""Distances from the best loss seen to the first guesses of the asymptote c, in deviations of the losses."""
RIDGE = 1e-2
STEEPEST = 40.0


def curve(theta: Array, mixtures: Array) -> tuple[Array, Array]:
    """Returns c + k exp(t . r) and its derivatives by (c, k, t...)."""
    power = np.exp(np.clip(mixtures @ theta[2:], -STEEPEST, STEEPEST))
    slopes = np.concatenate([np.stack([np.ones_like(power), power], 1), (theta[1] * power)[:, None] * mixtures], 1)
    return theta[0] + theta[1] * power, slopes


def prior(domains: int) -> Prior:
    """Returns a wide prior: losses are standardized, and a slope of 5 takes a loss to 0.7 % of its range."""
    return Prior(np.zeros(2 + domains), np.concatenate([[10.0, 10.0], np.full(domains, 5.0)]))


def starts(mixtures: Array, losses: Array) -> list[Array]:
    """Returns a ridge fit of log |loss - c| for some asymptotes c, below and above the losses."""
    found = []
    for sign in (1.0, -1.0):
        for gap in GAPS:
            low = float(np.min(sign * losses)) - gap
            logs = np.log(sign * losses - low)
            height = float(np.mean(logs))
            gram = mixtures.T @ mixtures + RIDGE * np.eye(mixtures.shape[1])
            slopes = np.linalg.solve(gram, mixtures.T @ (logs - height))
            found.append(np.concatenate([[sign * low, sign * np.exp(height)], slopes]))
    return found
