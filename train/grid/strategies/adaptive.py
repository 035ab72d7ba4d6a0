"""A surrogate proposes the next mixtures: those whose runs are expected to reduce regret the most."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from train.grid.regret import next_trials
from train.grid.space import Point
from train.grid.strategies.sampled import spread
from train.grid.strategies.study import Parameters, Rounds, Study, Trial, draw

DRAWS = 512
ALIKE = 1e-9
"""Draws of the objective that differ by no more than this from mixture to mixture say nothing of them."""


class Adaptive(Parameters):
    """An even first round, then rounds proposed from the law of everything run so far."""

    name: Literal["adaptive"] = "adaptive"
    trials: int = Field(ge=2, description="mixtures to run in all")
    first: int | None = Field(
        default=None, ge=2, description="mixtures of the first round; default: 3 an ability and 2"
    )
    batch: int = Field(default=4, ge=1, description="mixtures proposed at once, so as many workers can run")

    def propose(self, study: Study, rounds: Rounds) -> tuple[Trial, ...]:
        """Returns the first spread, or the mixtures of greatest expected gain until all trials are run.

        Raises:
            TrainError: the first round has too few mixtures for a law.
        """
        first = min(self.first or 3 * len(study.space.free) + 2, self.trials)
        if not rounds:
            return tuple(Trial(point) for point in spread(study.space, first, study.seed))
        seen = {finished.trial.point for finished_round in rounds for finished in finished_round}
        points = list(study.space.points())
        count = min(self.batch, self.trials - len(seen), len(points) - len(seen))
        if count <= 0:
            return ()
        return tuple(Trial(point) for point, _ in propose(study, rounds, points, seen, count))


def propose(
    study: Study, rounds: Rounds, points: list[Point], seen: set[Point], count: int
) -> list[tuple[Point, float]]:
    """Returns unseen points to run next with the regret each is expected to remove given those before it.

    The predicted best comes first where no run has seen it: nobody should train at length on what was never tried.
    Without a signal so far, all mixtures are predicted alike; the even spread of the first round goes on.
    """
    draws = draw(study, rounds, points, DRAWS)
    if float(np.ptp(draws, axis=1).max()) <= ALIKE:
        even = (point for point in spread(study.space, len(seen) + count, study.seed) if point not in seen)
        return [(point, 0.0) for point, _ in zip(even, range(count), strict=False)]
    open_places = [place for place, point in enumerate(points) if point not in seen]
    return [(points[place], gain) for place, gain in next_trials(draws, study.noise, count, open_places, confirm=True)]
