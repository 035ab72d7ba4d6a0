"""Curves fitted by robust, regularized least squares: the posterior mode, and a Gaussian around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import leastsq

from train.mixlaw.surrogate import Array

Curve = Callable[[Array, Array], tuple[Array, Array]]
"""(theta [p], mixtures [n, d]) -> values [n], their derivatives [n, p]"""

ROUNDS = 6
"""Updates of the noise and of the Huber weights; the third digit of the noise no longer moves after them."""
HUBER = 2.0
"""Residuals beyond two noise deviations count linearly, so that one diverged run does not bend the law."""
SMALLEST_NOISE = 1e-4
START_NOISE = 0.1
"""First guess of the noise, in deviations of the losses."""


@dataclass(frozen=True)
class Prior:
    """Independent Gaussians over the parameters: `mean` [p], `std` [p]; what has std inf is kept as it starts."""

    mean: Array
    std: Array


@dataclass(frozen=True)
class Mode:
    """The posterior mode `theta` [p], a `root` [p, p] of its Gaussian's covariance, the `noise` and the `cost` reached."""

    theta: Array
    root: Array
    noise: float
    cost: float


def fit_curve(
    curve: Curve, prior: Prior, starts: Sequence[Array], mixtures: Array, losses: Array, floor: float
) -> Mode:
    """Fits a curve from several starts and returns the best posterior mode with its Laplace approximation.

    Losses [n] are expected standardized. Noise is estimated along: each round weighs residuals after Huber, solves the
    regularized least squares (MINPACK, analytic derivatives), and divides the squares by the degrees of freedom left.
    It never falls below `floor`, the noise known from repeated runs.
    """
    modes = [_descend(curve, prior, start, mixtures, losses, floor) for start in starts]
    return min(modes, key=lambda mode: mode.cost)


def _descend(curve: Curve, prior: Prior, start: Array, mixtures: Array, losses: Array, floor: float) -> Mode:
    kept = np.isinf(prior.std)
    prior = Prior(np.where(kept, start, prior.mean), np.where(kept, 1.0, prior.std))
    theta, noise, weights = start, max(START_NOISE, floor), np.ones(len(losses))
    for _ in range(ROUNDS):
        theta = _solve(curve, prior, theta, mixtures, losses, np.sqrt(weights) / noise)
        values, slopes = curve(theta, mixtures)
        residuals = losses - values
        weights = np.minimum(1.0, HUBER * noise / np.maximum(np.abs(residuals), 1e-12))
        precision = (slopes * (weights / noise**2)[:, None]).T @ slopes
        root = _root(precision, prior.std)
        freedom = max(len(losses) - float(np.sum((precision @ root) * root)), 1.0)
        noise = max(float(np.sqrt(np.sum(weights * residuals**2) / freedom)), floor, SMALLEST_NOISE)
    sizes = np.abs(residuals / noise)
    huber = np.where(sizes < HUBER, 0.5 * sizes**2, HUBER * sizes - 0.5 * HUBER**2)
    pulled = (theta - prior.mean) / prior.std
    cost = float(np.sum(huber) + 0.5 * pulled @ pulled + len(losses) * np.log(noise))
    return Mode(theta, root, noise, cost)


def _root(precision: Array, std: Array) -> Array:
    """Returns a root of the inverse of `precision` plus the prior's, whose eigenvalues, in its deviations, are 1 or more."""
    values, vectors = np.linalg.eigh(precision * np.outer(std, std) + np.eye(len(std)))
    return np.asarray(std[:, None] * vectors / np.sqrt(np.maximum(values, 1.0)), dtype=np.float64)


def _solve(curve: Curve, prior: Prior, start: Array, mixtures: Array, losses: Array, scale: Array) -> Array:
    """Returns the parameters of least regularized squares; MINPACK asks for slopes where it last asked for values."""
    last: list[tuple[bytes, tuple[Array, Array]]] = []
    pulls = np.diag(1 / prior.std)

    def at(theta: Array) -> tuple[Array, Array]:
        if not last or last[0][0] != theta.tobytes():
            last[:] = [(theta.tobytes(), curve(theta, mixtures))]
        return last[0][1]

    def residuals(theta: Array) -> Array:
        return np.concatenate([(at(theta)[0] - losses) * scale, (theta - prior.mean) / prior.std])

    def slopes(theta: Array) -> Array:
        return np.concatenate([at(theta)[1] * scale[:, None], pulls])

    found = leastsq(residuals, start, Dfun=slopes, full_output=True, xtol=1e-7, ftol=1e-7, gtol=1e-9, maxfev=100)
    return np.asarray(found[0], dtype=np.float64)
