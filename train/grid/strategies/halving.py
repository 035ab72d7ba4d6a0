"""Successive halving on tokens (Jamieson & Talwalkar 2016): many short runs, the promising ones run longer.

A mixture is promoted by what the law of the whole rung predicts for it, not by its own noisy loss. Rungs are shares of
one run's steps under a constant learning rate; as every prefix of a stream is on-mix, a short run is on its mix too.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import Field

from curate.errors import TrainError
from train.grid.space import Point
from train.grid.strategies.sampled import spread
from train.grid.strategies.study import WHOLE, Parameters, Rounds, Study, Trial, draw, values_of

DRAWS = 256


class Halving(Parameters):
    """Rungs of 1/eta^(rungs-1) … 1/eta, 1 of the steps; each keeps one in eta."""

    name: Literal["halving"] = "halving"
    trials: int = Field(ge=2, description="mixtures of the first rung")
    eta: int = Field(default=3, ge=2, description="one in eta is promoted, to eta times the steps")
    rungs: int = Field(default=3, ge=2, le=6, description="rungs, the last of full length")

    def propose(self, study: Study, rounds: Rounds) -> tuple[Trial, ...]:
        """Returns the next rung: the best predicted third (1/eta) of the one before."""
        if len(rounds) >= self.rungs:
            return ()
        rung = WHOLE / self.eta ** (self.rungs - 1 - len(rounds))
        if not rounds:
            return tuple(Trial(point, rung) for point in spread(study.space, self.trials, study.seed))
        points = [finished.trial.point for finished in rounds[-1]]
        predicted = self._predict(study, rounds, points, rung / self.eta)
        kept = -(-len(points) // self.eta)
        best = sorted(range(len(points)), key=lambda place: (round(predicted[place], 12), place))[:kept]
        return tuple(Trial(points[place], rung) for place in sorted(best))

    @staticmethod
    def _predict(study: Study, rounds: Rounds, points: list[Point], rung: Fraction) -> list[float]:
        """Returns the predicted objective of each point at a rung; too few runs for a law give their own."""
        try:
            return [float(value) for value in draw(study, rounds, points, DRAWS, rung).mean(axis=0)]
        except TrainError:
            seen = values_of(study, rounds, rung)
            return [seen.get(point, np.inf) for point in points]
