"""A Gaussian process on square-rooted shares: Matern 5/2 with one length a domain, tuned by marginal likelihood.

The square root makes Euclidean distance the Hellinger distance of two mixes: a share that goes from 0 to 1 % moves a mix further than
one that goes from 40 to 41 %. Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 2.1 and
equation 5.9; the lengths are shrunk to a common one, else 64 runs overfit 17 of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from train.mixlaw.surrogate import Array, State, numbers

LENGTH_SPREAD = 0.75
"""Prior deviation of a domain's log length from the common one."""
TUNED_ON = 256
"""More runs than these are thinned for the tuning of lengths, never for the prediction."""
EXACT_UP_TO = 1500
"""Points at which draws come from the exact joint posterior; at more of them from random features."""
FEATURES = 2048
"""Random Fourier features of a prior draw."""
JITTER = 1e-8
ROUNDS = 100


@dataclass(frozen=True)
class GaussianProcess:
    """Tuned process: `tuned` = (log length, deviations of it..., log variance, log noise variance), and its runs."""

    tuned: Array
    mixtures: Array
    losses: Array

    @property
    def noise(self) -> float:
        """Deviation of a run from the curve."""
        return float(np.exp(0.5 * self.tuned[-1]))

    @property
    def lengths(self) -> Array:
        """Length scales [d] in square-rooted shares."""
        return np.exp(self.tuned[0] + self.tuned[1:-2])

    @cached_property
    def _factor(self) -> tuple[Array, bool]:
        gram = self._kernel(self.mixtures, self.mixtures)
        factor = cho_factor(gram + (self.noise**2 + JITTER) * np.eye(len(gram)), lower=True)
        return np.asarray(factor[0]), bool(factor[1])

    def _kernel(self, left: Array, right: Array) -> Array:
        first, second = np.sqrt(left) / self.lengths, np.sqrt(right) / self.lengths
        squares = np.sum(first**2, 1)[:, None] + np.sum(second**2, 1) - 2 * first @ second.T
        return np.exp(self.tuned[-2]) * _matern(np.maximum(squares, 0.0))[0]

    def predict(self, mixtures: Array) -> tuple[Array, Array]:
        """Returns the posterior mean and deviation of the curve; both [m]."""
        cross = self._kernel(mixtures, self.mixtures)
        variance = np.exp(self.tuned[-2]) - np.sum(cross * cho_solve(self._factor, cross.T).T, axis=1)
        return cross @ cho_solve(self._factor, self.losses), np.sqrt(np.maximum(variance, 0.0))

    def draw(self, mixtures: Array, count: int, random: np.random.Generator) -> Array:
        """Returns joint draws [count, m] of the curve."""
        if len(mixtures) > EXACT_UP_TO:
            return self._draw_features(mixtures, count, random)
        cross = self._kernel(mixtures, self.mixtures)
        covariance = self._kernel(mixtures, mixtures) - cross @ cho_solve(self._factor, cross.T)
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(
            cross @ cho_solve(self._factor, self.losses) + random.standard_normal((count, len(root))) @ root.T
        )

    def _draw_features(self, mixtures: Array, count: int, random: np.random.Generator) -> Array:
        """Returns draws of prior curves in random features, corrected at the runs.

        Matheron's rule (Wilson et al. 2020, 2002.09309): time and memory grow with m and not with its square.
        """
        freedom = random.chisquare(5.0, FEATURES) / 5.0
        waves = random.standard_normal((len(self.lengths), FEATURES)) / np.sqrt(freedom) / self.lengths[:, None]
        phases = random.uniform(0, 2 * np.pi, FEATURES)
        height = np.sqrt(2 * np.exp(self.tuned[-2]) / FEATURES)
        weights = random.standard_normal((FEATURES, count)) * height
        there = np.cos(np.sqrt(mixtures) @ waves + phases) @ weights
        here = np.cos(np.sqrt(self.mixtures) @ waves + phases) @ weights
        seen = here + self.noise * random.standard_normal(here.shape)
        shift = cho_solve(self._factor, self.losses[:, None] - seen)
        return np.asarray((there + self._kernel(mixtures, self.mixtures) @ shift).T)

    def state(self) -> State:
        """Returns the tuned numbers; the runs are kept once, beside all surrogates."""
        return {"tuned": numbers(self.tuned)}


def fit_gp(mixtures: Array, losses: Array, floor: float, like: GaussianProcess | None, tune: bool) -> GaussianProcess:
    """Fits a process to mixtures [n, d] and standardized losses [n].

    Tuning starts from `like` where given; with `tune` off its tuned numbers are taken over as they are.
    """
    if like and not tune:
        return GaussianProcess(like.tuned, mixtures, losses)
    rows = np.linspace(0, len(losses) - 1, min(len(losses), TUNED_ON)).round().astype(int)
    return GaussianProcess(_tune(mixtures[rows], losses[rows], floor, like), mixtures, losses)


def _tune(mixtures: Array, losses: Array, floor: float, like: GaussianProcess | None) -> Array:
    domains = mixtures.shape[1]
    mean = np.concatenate([np.zeros(1 + domains), [0.0, np.log(1e-2)]])
    spread = np.concatenate([[1.5], np.full(domains, LENGTH_SPREAD), [1.5, 2.5]])
    low, high = (np.asarray(side, dtype=np.int64) for side in np.triu_indices(len(losses), 1))
    pairs = low, high
    roots = np.sqrt(mixtures)
    squares = (roots[low] - roots[high]) ** 2
    lowest = float(np.clip(2 * np.log(max(floor, 1e-6)), -12.0, 0.0))  # at most all of the spread is noise
    start = like.tuned if like else np.concatenate([[-0.5], mean[1:]])

    def cost(tuned: Array) -> tuple[float, Array]:
        value, slopes = _evidence(tuned, squares, pairs, losses)
        pulled = (tuned - mean) / spread
        return value + 0.5 * float(pulled @ pulled), slopes + pulled / spread

    bounds = [(-4.0, 4.0)] * (1 + domains) + [(-14.0, 5.0), (lowest, 1.0)]
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ROUNDS})
    return np.asarray(found.x, dtype=np.float64)


def _evidence(
    tuned: Array, squares: Array, pairs: tuple[NDArray[np.int64], NDArray[np.int64]], losses: Array
) -> tuple[float, Array]:
    """Returns the negative log marginal likelihood and its derivatives; `squares` [pairs, d] are per domain."""
    inverse = np.exp(-2 * (tuned[0] + tuned[1:-2]))
    variance, noise = np.exp(tuned[-2:])
    shape, slope = _matern(squares @ inverse)
    gram = np.eye(len(losses)) * (variance + noise + JITTER)
    gram[pairs] = variance * shape
    factor = cho_factor(gram.T, lower=True)  # only the lower triangle is read
    solved = cho_solve(factor, losses)
    outer = cho_solve(factor, np.eye(len(losses))) - np.outer(solved, solved)
    by_length = -2 * inverse * ((variance * slope * outer[pairs]) @ squares)
    trace = float(np.trace(outer))
    by_variance = variance * (float(shape @ outer[pairs]) + 0.5 * trace)
    value = 0.5 * float(losses @ solved) + float(np.log(np.diag(factor[0])).sum())
    return value, np.concatenate([[by_length.sum()], by_length, [by_variance, 0.5 * noise * trace]])


def _matern(squares: Array) -> tuple[Array, Array]:
    """Returns the Matern 5/2 correlation and its derivative by the squared distance."""
    far = np.sqrt(5 * squares + 1e-12)
    fall = np.exp(-far)
    return (1 + far + far**2 / 3) * fall, -(5 / 6) * (1 + far) * fall


def load_gp(state: State, mixtures: Array, losses: Array) -> GaussianProcess:
    """Rebuilds a process from its state and its runs."""
    return GaussianProcess(np.array(state["tuned"]), mixtures, losses)
