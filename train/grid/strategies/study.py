"""What a strategy sees: the space, the objective, a learner of laws, and trials with their losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from train.grid.space import Point, Space

Array = NDArray[np.float64]
WHOLE = Fraction(1)


class Trial(NamedTuple):
    """A mixture to train on, and the share of its steps to train for."""

    point: Point
    rung: Fraction = WHOLE


@dataclass(frozen=True)
class Finished:
    """A trial that was run: the mixture it trained on [abilities] and the losses it reached, means over seeds.

    `losses` are those of the abilities, then those of the tests, if there are any: the targets of the law.
    """

    trial: Trial
    mixture: tuple[float, ...]
    losses: tuple[float, ...]


Rounds = Sequence[Sequence[Finished]]


class Curves(Protocol):
    """A law as far as strategies use it."""

    def sample(self, mixtures: Array, count: int, seed: int = 0) -> Array:
        """Draws losses jointly at mixtures [m, d]: [count, m, targets]."""


Learn = Callable[[Array, Array], Curves]
"""Fits a law to mixtures [n, d] and losses [n, targets]; raises TrainError where there are too few."""


@dataclass(frozen=True)
class Study:
    """One search: everything a proposal depends on beside the finished rounds."""

    space: Space
    matrix: Callable[[Sequence[Point]], Array]
    """Mixtures of points as a law takes them, [m, d]."""
    value: Callable[[Array], Array]
    """The objective [...] of losses [..., targets]; smaller is better."""
    learn: Learn
    noise: float = 0.0
    """Deviation of the objective between runs of one mix."""
    known: tuple[Finished, ...] = ()
    """Trials of full length from elsewhere, such as baselines: they teach the law, and are never proposed."""
    seed: int = 17


class Parameters(BaseModel):
    """Parameters of a strategy."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def values_of(study: Study, rounds: Rounds, rung: Fraction = WHOLE) -> dict[Point, float]:
    """Returns the objective of every point run at a rung."""
    found = [f for finished in rounds for f in finished if f.trial.rung == rung]
    if not found:
        return {}
    values = study.value(np.array([f.losses for f in found]))
    return {f.trial.point: float(value) for f, value in zip(found, values, strict=True)}


def draw(study: Study, rounds: Rounds, points: Sequence[Point], count: int, rung: Fraction = WHOLE) -> Array:
    """Returns draws [count, m] of the objective at points, from the law of all runs as they stand at a rung.

    Raises:
        TrainError: there are too few runs for a law.
    """
    runs = [*standing(rounds, rung), *(f for f in study.known if f.trial.rung == rung)]
    mixtures, losses = (np.array([getattr(f, name) for f in runs]) for name in ("mixture", "losses"))
    return study.value(study.learn(mixtures, losses).sample(study.matrix(points), count, study.seed))


def standing(rounds: Rounds, rung: Fraction = WHOLE) -> list[Finished]:
    """Returns each mixture's longest run up to a rung, with the losses it would have there.

    A shorter run is moved by the mean change of the mixtures that were run at both lengths, rung by rung; where no mixture
    links two lengths, the shorter runs are left out.
    """
    longest: dict[Point, Finished] = {}
    for length in sorted({rung, *(f.trial.rung for finished in rounds for f in finished if f.trial.rung < rung)}):
        here = {f.trial.point: f for finished in rounds for f in finished if f.trial.rung == length}
        linked = [point for point in here if point in longest]
        changes = [np.subtract(here[point].losses, longest[point].losses) for point in linked]
        longest = {p: _moved(f, np.mean(changes, axis=0)) for p, f in longest.items()} if linked else {}
        longest |= here
    return list(longest.values())


def _moved(run: Finished, change: Array) -> Finished:
    return replace(run, losses=tuple(np.add(run.losses, change).tolist()))
