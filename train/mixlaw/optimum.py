"""The best shares under caps, pulled to a prior: minimize f(x) + pull * KL(x || prior) over shares x <= caps.

The pull and the caps are those of olmix (exact proposal); f need not be convex, so candidates are searched first and
the best few are polished by SLSQP.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from curate.errors import TrainError
from train.mixlaw.analysis import SMALLEST, divergence
from train.mixlaw.surrogate import Array

Objective = Callable[[Array], Array]
"""Mixtures [m, d] -> values [m], lower is better."""

CANDIDATES = 2048
POLISHED = 4
STEP = 1e-6
NARROW = (3.0, 10.0, 30.0, 100.0, 300.0)
"""Concentrations of the Dirichlet candidates around the prior."""


def propose(objective: Objective, prior: Array, caps: Array, pull: float, tried: Array, seed: int = 0) -> Array:
    """Returns the best shares [d] found; `tried` [n, d] are mixtures worth starting from.

    Raises:
        TrainError: the caps leave no mixture.
    """
    prior = cap_shares(prior[None] / prior.sum(), caps)[0]

    def cost(mixtures: Array) -> Array:
        return objective(mixtures) + pull * divergence(mixtures, prior)

    found = candidates(prior, caps, tried, seed)
    best = found[np.argsort(cost(found), kind="stable")[:POLISHED]]
    polished = [_polish(cost, start, caps) for start in best]
    everything = np.concatenate([best, polished])
    return np.asarray(everything[int(np.argmin(cost(everything)))])


def candidates(prior: Array, caps: Array, tried: Array, seed: int = 0) -> Array:
    """Returns mixtures within the caps: the prior, those tried, and Dirichlet draws near the prior and everywhere.

    Raises:
        TrainError: the caps leave no mixture.
    """
    random = np.random.default_rng(seed)
    alphas = np.maximum(prior / prior.sum(), 1e-3)
    near = [random.dirichlet(alphas * narrow, CANDIDATES // (2 * len(NARROW))) for narrow in NARROW]
    wide = random.dirichlet(np.ones(len(prior)), CANDIDATES // 2)
    given = tried / tried.sum(axis=1, keepdims=True)
    return cap_shares(np.concatenate([prior[None] / prior.sum(), given, *near, wide]), caps)


def cap_shares(shares: Array, caps: Array) -> Array:
    """Returns shares [m, d] cut at the caps [d]; what is cut goes to the others in proportion to their shares.

    Raises:
        TrainError: the caps sum to less than 1.
    """
    if caps.sum() < 1 - 1e-9:
        raise TrainError(f"the caps sum to {caps.sum():g}; shares sum to 1, so raise some caps")
    shares = np.maximum(shares, SMALLEST)
    for _ in range(len(caps)):
        full = shares >= caps - SMALLEST
        shares = np.where(full, caps, shares)
        free = np.where(full, 0.0, shares).sum(axis=1, keepdims=True)
        left = 1 - np.where(full, caps, 0.0).sum(axis=1, keepdims=True)
        shares = np.where(full, caps, shares * left / np.maximum(free, SMALLEST**2))
    return np.asarray(np.minimum(shares, caps) / np.minimum(shares, caps).sum(axis=1, keepdims=True))


def _polish(cost: Objective, start: Array, caps: Array) -> Array:
    steps = np.concatenate([np.zeros((1, len(start))), STEP * np.eye(len(start))])

    def slopes(shares: Array) -> Array:
        values = cost(np.clip(shares, SMALLEST, None) + steps)
        return np.asarray((values[1:] - values[0]) / STEP)

    found = minimize(
        lambda shares: float(cost(np.clip(shares, SMALLEST, None)[None])[0]),
        start,
        jac=slopes,
        method="SLSQP",
        bounds=[(min(SMALLEST, float(cap)), float(cap)) for cap in caps],
        constraints=[{"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like}],
        options={"maxiter": 200, "ftol": 1e-10},
    )
    shares = np.clip(found.x, 0.0, caps)
    return np.asarray(shares / shares.sum())
