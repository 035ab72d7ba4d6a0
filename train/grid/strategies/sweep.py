"""The approximate grid search of Yi (arXiv 2403.04652, section 3.1): one ability at a time, all its levels, from a centre.

A pass takes 1 + 6·A runs where the grid has 7^A. Each ability keeps its best level before the next is tried; a pass
that changes nothing ends the search.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curate.errors import TrainError, did_you_mean
from train.grid.space import Level, Point, Space
from train.grid.strategies.study import Parameters, Rounds, Study, Trial, values_of


class Sweep(Parameters):
    """Coordinate passes from a centre."""

    name: Literal["sweep"] = "sweep"
    passes: int = Field(default=2, ge=1, description="most passes over all abilities")
    trials: int | None = Field(
        default=None, ge=1, description="most mixtures to run; default: as many as the passes take"
    )
    centre: dict[str, Level] = Field(default={}, description="levels to start from; default: the middle level for each")

    def propose(self, study: Study, rounds: Rounds) -> tuple[Trial, ...]:
        """Returns the levels of the first ability that are still to be run, as the passes stand after the rounds."""
        space, seen = study.space, values_of(study, rounds)
        centre = self._start(space)
        for _ in range(self.passes):
            before = centre
            for place in range(len(space.free)):
                ladder = ladder_of(space, centre, place)
                missing = tuple(dict.fromkeys(folded for folded in ladder.values() if folded not in seen))
                if missing:
                    left = len(missing) if self.trials is None else self.trials - len(seen)
                    return tuple(Trial(point) for point in missing[: max(left, 0)])
                if ladder:
                    centre = min(ladder, key=lambda raw: (seen[ladder[raw]], raw != centre, raw))
            if centre == before:
                break
        return ()

    def _start(self, space: Space) -> Point:
        for name in self.centre:
            if name not in space.free:
                raise TrainError(f"strategy.centre: no free ability is named {name!r}{did_you_mean(name, space.free)}")
        levels = sorted(set(space.levels))
        return tuple(self.centre.get(name, levels[len(levels) // 2]) for name in space.free)


def ladder_of(space: Space, centre: Point, place: int) -> dict[Point, Point]:
    """Returns the centre with each level of one ability, allowed ones only, beside the folded form of each."""
    raws = [(*centre[:place], level, *centre[place + 1 :]) for level in sorted(set(space.levels), reverse=True)]
    return {raw: space.fold(raw) for raw in raws if any(raw) and space.allows(space.fold(raw))}
