"""Strategies that know all their trials beforehand: the full grid, a Sobol sequence over it, a random part of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.stats import qmc

from train.grid.space import Point, Space
from train.grid.strategies.study import Parameters, Rounds, Study, Trial

TRIES = 12
"""Doublings of a Sobol sequence before the rest of the grid is taken in its order."""


class Full(Parameters):
    """Every mixture of the space."""

    name: Literal["full"] = "full"

    def propose(self, study: Study, rounds: Rounds) -> tuple[Trial, ...]:
        """Returns all trials at first, nothing after."""
        return () if rounds else tuple(Trial(point) for point in study.space.points())


class Sobol(Parameters):
    """Mixtures of the grid spread evenly over the levels of all abilities (a scrambled Sobol sequence)."""

    name: Literal["sobol"] = "sobol"
    trials: int = Field(ge=1, description="mixtures to run")

    def propose(self, study: Study, rounds: Rounds) -> tuple[Trial, ...]:
        """Returns all trials at first, nothing after."""
        return () if rounds else tuple(Trial(point) for point in spread(study.space, self.trials, study.seed))


class Random(Parameters):
    """Mixtures of the grid drawn at random, each once."""

    name: Literal["random"] = "random"
    trials: int = Field(ge=1, description="mixtures to run")

    def propose(self, study: Study, rounds: Rounds) -> tuple[Trial, ...]:
        """Returns all trials at first, nothing after."""
        if rounds:
            return ()
        points = study.space.points()
        order = np.random.RandomState(study.seed).permutation(len(points))[: self.trials]
        return tuple(Trial(points[place]) for place in order)


def spread(space: Space, count: int, seed: int) -> tuple[Point, ...]:
    """Returns `count` different mixtures of the grid that fill it evenly; all of them where it has no more."""
    points = space.points()
    if count >= len(points):
        return points
    found: dict[Point, None] = {}
    for point in _sequence(space, count, seed):
        if len(found) == count:
            break
        if space.allows(point):
            found[point] = None
    for point in points:
        if len(found) < count:
            found.setdefault(point)
    return tuple(found)


def _sequence(space: Space, count: int, seed: int) -> Iterator[Point]:
    """Yields folded points of a scrambled Sobol sequence over the places of the levels."""
    levels = sorted(set(space.levels), reverse=True)
    engine = qmc.Sobol(len(space.free), scramble=True, rng=np.random.Generator(np.random.PCG64(seed)))
    start = max(count - 1, 1).bit_length()
    for power in (start, *range(start, start + TRIES)):
        for row in np.floor(engine.random(1 << power) * len(levels)).astype(np.int64).tolist():
            yield space.fold(tuple(levels[place] for place in row))
