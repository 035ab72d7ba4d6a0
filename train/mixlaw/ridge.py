"""Ridge regression on shares: the floor every other surrogate has to beat, and a Bayesian linear model by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.mixlaw.surrogate import Array, State, numbers

STRENGTHS = np.logspace(-4, 3, 15)


@dataclass(frozen=True)
class Ridge:
    """`weights` [1 + d] (intercept first), a `root` of their covariance, and the noise of a run."""

    weights: Array
    root: Array
    noise: float

    def predict(self, mixtures: Array) -> tuple[Array, Array]:
        """Returns the plane and its deviation; both [m]."""
        features = _features(mixtures)
        return features @ self.weights, np.sqrt(np.sum((features @ self.root) ** 2, axis=1))

    def draw(self, mixtures: Array, count: int, random: np.random.Generator) -> Array:
        """Returns joint draws [count, m]."""
        features = _features(mixtures)
        return features @ self.weights + random.standard_normal((count, len(self.weights))) @ (features @ self.root).T

    def state(self) -> State:
        """Returns weights, root and noise."""
        return {"weights": numbers(self.weights), "root": numbers(self.root), "noise": self.noise}


def fit_ridge(mixtures: Array, losses: Array, floor: float) -> Ridge:
    """Fits with the strength of least leave-one-out error (closed form, PRESS); the intercept is free."""
    features = _features(mixtures)
    penalty = np.diag([1e-9, *np.ones(mixtures.shape[1])])
    best: tuple[float, Ridge] | None = None
    for strength in STRENGTHS:
        inverse = np.linalg.inv(features.T @ features + strength * penalty)
        weights = inverse @ features.T @ losses
        leverage = np.minimum(np.sum(features @ inverse * features, axis=1), 1 - 1e-9)
        residuals = losses - features @ weights
        error = float(np.mean((residuals / (1 - leverage)) ** 2))
        if best is None or error < best[0]:
            freedom = max(len(losses) - float(leverage.sum()), 1.0)
            noise = max(float(np.sqrt(residuals @ residuals / freedom)), floor, 1e-6)
            best = error, Ridge(weights, np.linalg.cholesky(inverse) * noise, noise)
    assert best is not None
    return best[1]


def flat(domains: int, noise: float, runs: int) -> Ridge:
    """Returns the mean of standardized losses for every mixture: all that is left where there is no signal."""
    root = np.zeros((1 + domains, 1 + domains))
    root[0, 0] = noise / np.sqrt(runs)
    return Ridge(np.zeros(1 + domains), root, noise)


def _features(mixtures: Array) -> Array:
    return np.concatenate([np.ones((len(mixtures), 1)), mixtures], axis=1)


def load_ridge(state: State) -> Ridge:
    """Rebuilds a ridge from its state."""
    return Ridge(np.array(state["weights"]), np.array(state["root"]), float(state["noise"]))
