"""A study with a planted law: three abilities whose losses fall with their own share by known curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.grid.space import Point, Space
from train.grid.strategies import Finished, Strategy, Study, Trial

Array = NDArray[np.float64]

ABILITIES = ("code", "math", "service")
FLOOR = np.array([0.8, 1.0, 1.2])
SCALE = np.array([0.30, 0.10, 0.02])
POWER = np.array([0.5, 0.5, 0.5])


def true_losses(shares: Array) -> Array:
    """Returns the losses [..., 3] of mixtures [..., 3]: separable power laws of each ability's own share."""
    return FLOOR + SCALE * np.maximum(shares, 1e-3) ** -POWER


@dataclass(frozen=True)
class LinearCurves:
    """A Bayesian linear regression on powers of the shares, as a law for tests that train nothing."""

    weights: Array
    factor: Array

    @staticmethod
    def features(mixtures: Array) -> Array:
        """Returns the features [m, 7] of mixtures."""
        shares = np.maximum(mixtures, 1e-3)
        return np.concatenate([np.ones((len(shares), 1)), shares**-0.5 / 10, np.sqrt(shares)], axis=1)

    def sample(self, mixtures: Array, count: int, seed: int = 0) -> Array:
        """Draws losses at mixtures."""
        normal = np.random.default_rng(seed).standard_normal((count, *self.weights.shape))
        return np.einsum(
            "mf,nft->nmt", self.features(mixtures), self.weights + np.einsum("fg,ngt->nft", self.factor, normal)
        )


def learn(mixtures: Array, losses: Array) -> LinearCurves:
    """Fits the law."""
    features = LinearCurves.features(mixtures)
    precision = features.T @ features + 1e-4 * np.eye(features.shape[1])
    weights = np.linalg.solve(precision, features.T @ losses)
    error = float(np.std(losses - features @ weights)) + 1e-4
    return LinearCurves(weights, error * np.linalg.cholesky(np.linalg.inv(precision)))


def make_study(space: Space, sizes: Sequence[float] = (1.0, 1.0, 1.0), seed: int = 17, noise: float = 0.0) -> Study:
    """Returns a study over the planted law whose objective is the mean loss."""
    return Study(
        space, lambda points: space.matrix(points, sizes), lambda losses: losses.mean(axis=-1), learn, noise, (), seed
    )


def search(strategy: Strategy, study: Study, noise: float = 0.0, seed: int = 0) -> list[list[Finished]]:
    """Runs a strategy to its end on the planted law; the noise of a run is keyed by its mixture."""
    rounds: list[list[Finished]] = []
    while trials := strategy.propose(study, rounds):
        rounds.append([run(study, trial, noise, seed) for trial in trials])
    return rounds


def run(study: Study, trial: Trial, noise: float, seed: int) -> Finished:
    """Returns the planted losses of a trial; shorter runs stand higher."""
    (mixture,) = study.matrix([trial.point])
    key = [seed, *(int(level * 64) for level in trial.point)]
    error = noise * np.random.default_rng(key).standard_normal(3)
    losses = true_losses(mixture) + 0.3 * (1 - float(trial.rung)) + error
    return Finished(trial, tuple(mixture.tolist()), tuple(losses.tolist()))


def best_of_grid(study: Study) -> tuple[Point, float, Callable[[Point], float]]:
    """Returns the best mixture of the whole grid, its true objective, and the true objective of any other."""

    def value(point: Point) -> float:
        return float(study.value(true_losses(study.matrix([point])))[0])

    best = min(study.space.points(), key=lambda point: (value(point), point))
    return best, value(best), value


def recommended(study: Study, rounds: Sequence[Sequence[Finished]]) -> Point:
    """Returns the run mixture of least measured objective at full length."""
    full = [f for finished in rounds for f in finished if f.trial.rung == 1]
    return min(full, key=lambda f: (float(study.value(np.array(f.losses))), f.trial.point)).trial.point
