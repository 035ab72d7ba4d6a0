"""The effective-data law: loss = c + k (e + sum_j w_j r_j^a_j)^-g, one power law in the data that helps a target.

Every domain is worth w_j of the target's own data, with returns that fall as its share grows (a_j below 1). It is the
form of DMO-SFT (2508.11953: C (n + k (N - n)^a)^-b + E) with a weight for each other domain instead of one k for all
of them, and without being told which domain is the target's own. The exponents a_j are shrunk to a common value.
"""

from __future__ import annotations

import numpy as np

from train.mixlaw.least import Prior
from train.mixlaw.surrogate import Array

WEIGHT_SPREAD = 1.5
"""Prior deviation of log w_j."""
EXPONENT_SPREAD = 0.3
"""Prior deviation of logit a_j from the common one."""


def curve(theta: Array, mixtures: Array) -> tuple[Array, Array]:
    """Returns the law and its derivatives by (c, k, log g, log e, logit a, log w..., logit a_j - logit a...)."""
    domains = mixtures.shape[1]
    level, height = theta[:2]
    decay, floor = np.exp(np.clip(theta[2:4], -30, 10))
    weights = np.exp(np.clip(theta[5 : 5 + domains], -30, 30))
    exponents = 1 / (1 + np.exp(-np.clip(theta[4] + theta[5 + domains :], -30, 30)))
    logs = np.log(np.where(mixtures > 0, mixtures, 1.0))
    worth = np.where(mixtures > 0, np.exp(exponents * logs), 0.0) * weights
    total = floor + worth.sum(1)
    power = np.exp(np.clip(-decay * np.log(total), -200, 200))
    by_total = -height * decay * power / total
    by_exponent = by_total[:, None] * worth * logs * exponents * (1 - exponents)
    slopes = np.empty((len(mixtures), len(theta)))
    slopes[:, 0] = 1.0
    slopes[:, 1] = power
    slopes[:, 2] = -height * power * decay * np.log(total)
    slopes[:, 3] = by_total * floor
    slopes[:, 4] = by_exponent.sum(1)
    slopes[:, 5 : 5 + domains] = by_total[:, None] * worth
    slopes[:, 5 + domains :] = by_exponent
    return level + height * power, slopes


def prior(domains: int) -> Prior:
    """Returns the prior: decay near 0.5 and a common exponent near 0.5, as published data scaling laws have them."""
    mean = np.concatenate([[0.0, 0.0, np.log(0.5), -2.0, 0.0], np.zeros(2 * domains)])
    spread = [10.0, 10.0, 1.0, 2.0, 1.5]
    return Prior(mean, np.concatenate([spread, np.full(domains, WEIGHT_SPREAD), np.full(domains, EXPONENT_SPREAD)]))


def starts(mixtures: Array, losses: Array) -> list[Array]:
    """Returns a falling and a rising law in which all domains are worth the same."""
    rest = np.concatenate([[-1.0, -1.0, 0.0], np.zeros(2 * mixtures.shape[1])])
    return [np.concatenate([[-2.0 * sign, 2.0 * sign], rest]) for sign in (1.0, -1.0)]
