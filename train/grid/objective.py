"""What is best: one number from the losses of all abilities and tests, smaller is better."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.errors import TrainError, did_you_mean

Array = NDArray[np.float64]
Names = tuple[str, ...]

PENALTY = 10.0
"""Weight of what exceeds a limit: a tenth above one counts like the loss of the objective doubled."""


class Objective(BaseModel):
    """How losses become one number, each as its relative change against the untrained base.

    Losses are those of the abilities, then the choice losses of the tests.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["weighted", "worst", "constrained"] = Field(
        default="weighted",
        description="weighted: weighted mean of relative loss changes; worst: the largest of them; constrained: weighted "
        "mean, where those in `limits` may rise no more than stated",
    )
    weights: dict[str, float] = Field(
        default={}, description="weight of a loss; default 1 for an ability, 0 for a test; 0 leaves it out"
    )
    limits: dict[str, float] = Field(
        default={}, description="largest relative change of the loss of an ability or a test, such as {general: 0.01}"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Objective:
        if (self.kind == "constrained") != bool(self.limits):
            raise ValueError("`kind: constrained` goes with `limits`, such as {general: 0.01}; the other has no effect")
        if any(weight < 0 or not np.isfinite(weight) for weight in self.weights.values()):
            raise ValueError("weights are numbers from 0 up")
        return self

    def value(self, losses: Array, base: Array, abilities: Names, tests: Names = ()) -> Array:
        """Returns the objective [...] of losses [..., abilities and tests]; `base` [both] are the untrained model's.

        Raises:
            TrainError: a name that is neither an ability nor a test, or all weights are 0.
        """
        change, weights = losses / base - 1, self._weights(abilities, tests)
        if self.kind == "worst":
            return np.asarray(np.max(np.where(weights > 0, change * weights, -np.inf), axis=-1))
        mean = np.sum(np.where(weights > 0, change, 0.0) * weights, axis=-1) / weights.sum()
        limits = np.array([self.limits.get(name, np.inf) for name in (*abilities, *tests)])
        return np.asarray(
            mean + PENALTY * np.sum(np.where(limits < np.inf, np.maximum(change - limits, 0.0), 0.0), axis=-1)
        )

    def looks_at(self, abilities: Names, tests: Names = ()) -> Names:
        """Returns the abilities and tests whose losses matter to the objective.

        Raises:
            TrainError: as `value`.
        """
        weights, names = self._weights(abilities, tests), (*abilities, *tests)
        return tuple(n for n, weight in zip(names, weights, strict=True) if weight > 0 or n in self.limits)

    def _weights(self, abilities: Names, tests: Names) -> Array:
        names, what = (*abilities, *tests), "ability or test" if tests else "ability"
        for name in (*self.weights, *self.limits):
            if name not in names:
                raise TrainError(f"objective: no {what} is named {name!r}{did_you_mean(name, names)}")
        usual = {name: 0.0 if name in tests or name in self.limits else 1.0 for name in names}
        found = [self.weights.get(name, usual[name]) for name in names]
        if not any(found):
            raise TrainError(f"objective: no {what} has a weight above 0, so every mixture would be as good")
        return np.array(found)
