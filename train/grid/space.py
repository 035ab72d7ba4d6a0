"""The mixtures a search chooses from: levels for each ability, read as amounts or as shares, duplicates folded.

With the published levels 1, 1/2 … 1/64 (Yi, arXiv 2403.04652, section 3.1) and A abilities there are 7^A mixtures read
as amounts, and 7^A − 6^A read as shares: there (1/2, 1/4) and (1, 1/2) are one mixture, written with its largest level 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from curate.errors import TrainError, did_you_mean
from curate.mixture import MixSpec

MOST_POINTS = 1 << 21

Point = tuple[Fraction, ...]
"""A level for each free ability of a space, in the space's order."""


def _fraction(value: Any) -> Any:
    """Reads 1, 0.5 and "1/64" as the number they are written as."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Fraction):
        return value
    try:
        return Fraction(str(value).replace(" ", ""))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is no number; write 1, 0.5 or 1/64") from None


Level = Annotated[Fraction, BeforeValidator(_fraction), Field(ge=0, le=1)]
YI_LEVELS = tuple(Fraction(1, 1 << k) for k in range(7))


class Constraint(BaseModel):
    """Bounds the sum over some abilities: of their shares, or of the fractions of their own data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    abilities: tuple[str, ...] = Field(min_length=1, description="the abilities that are summed")
    at_least: Level = Field(default=Fraction(0), description="smallest sum")
    at_most: Annotated[Fraction, BeforeValidator(_fraction)] | None = Field(default=None, description="largest sum")


class Space(BaseModel):
    """Levels for each ability, how they are read, and which combinations are allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    abilities: tuple[str, ...] = Field(default=(), description="default: every ability of the pool, by name")
    levels: tuple[Level, ...] = Field(default=YI_LEVELS, min_length=1, description="levels each ability may take")
    reading: Literal["share", "amount"] = Field(
        default="share",
        description="share: levels are proportions of a fixed budget; amount: fractions of each ability's own data, so "
        "the total varies",
    )
    fixed: dict[str, Level] = Field(
        default={}, description="abilities that are not searched: their share of the budget, or fraction of their data"
    )
    constraints: tuple[Constraint, ...] = Field(default=(), description="bounds on sums of shares or amounts")

    @model_validator(mode="after")
    def _is_consistent(self) -> Space:
        if len(set(self.abilities)) < len(self.abilities):
            raise ValueError("an ability stands twice in `abilities`")
        if not any(self.levels):
            raise ValueError("levels are all 0, so nothing would be trained")
        if self.reading == "share" and sum(self.fixed.values()) >= 1:
            raise ValueError(
                f"the fixed shares sum to {float(sum(self.fixed.values())):g}; they leave nothing to search"
            )
        if self.abilities:
            named = [*self.fixed, *(name for rule in self.constraints for name in rule.abilities)]
            for name in named:
                if name not in self.abilities:
                    raise ValueError(f"no ability is named {name!r}{did_you_mean(name, self.abilities)}")
        return self

    @cached_property
    def free(self) -> tuple[str, ...]:
        """The abilities that are searched."""
        return tuple(name for name in self.abilities if name not in self.fixed)

    def fold(self, point: Point) -> Point:
        """Returns the one way a mixture is written: read as shares, its largest level is 1."""
        most = max(point, default=Fraction(0))
        return tuple(level / most for level in point) if self.reading == "share" and most else point

    def points(self) -> tuple[Point, ...]:
        """Returns every allowed mixture once, the largest levels first.

        Raises:
            TrainError: there are over two million combinations, or no mixture is allowed.
        """
        size = len(set(self.levels)) ** len(self.free)
        if size > MOST_POINTS:
            raise TrainError(
                f"{len(set(self.levels))} levels of {len(self.free)} abilities are {size:,} mixtures; take fewer levels, "
                "or fix some abilities"
            )
        found = tuple(point for point in self._combined() if self.allows(point))
        if not found:
            raise TrainError("the constraints of the space leave no mixture; widen them")
        return found

    def _combined(self) -> Iterable[Point]:
        """Yields the folded combinations of levels, as whole numbers until they are distinct."""
        whole = lcm(*(level.denominator for level in self.levels))
        steps = np.array(sorted({int(level * whole) for level in self.levels}), dtype=np.int64)
        places = np.indices((len(steps),) * len(self.free)).reshape(len(self.free), -1).T
        rows: NDArray[np.int64] = steps[places]
        rows = rows[rows.any(axis=1)]
        if self.reading == "share" and self.free:
            rows = rows // np.gcd.reduce(rows, axis=1)[:, None]
        for row in np.unique(rows, axis=0)[::-1].tolist():
            scale = max(row) if self.reading == "share" else whole
            yield tuple(Fraction(number, scale) for number in row)

    def allows(self, point: Point) -> bool:
        """Tells whether a mixture trains anything and keeps the constraints."""
        if not any(point):
            return False
        numbers = self.numbers(point)
        sums = ((rule, sum(numbers[name] for name in rule.abilities)) for rule in self.constraints)
        return all(rule.at_least <= sum_ <= (sum_ if rule.at_most is None else rule.at_most) for rule, sum_ in sums)

    def numbers(self, point: Point) -> dict[str, Fraction]:
        """Returns the share of the budget, or the fraction of its own data, of every ability."""
        scale = (1 - sum(self.fixed.values(), Fraction(0))) / sum(point) if self.reading == "share" else Fraction(1)
        found = dict(zip(self.free, (level * scale for level in point), strict=True)) | self.fixed
        return {name: found[name] for name in self.abilities}

    def label(self, point: Point) -> str:
        """Returns a mixture as text, such as `math 1 · service 1/8`."""
        return " · ".join(f"{name} {level}" for name, level in zip(self.free, point, strict=True))

    def spec(self, point: Point, shared: MixSpec) -> MixSpec:
        """Returns what a recipe's `mix:` says of a mixture; unit, budget and limits are those of `shared`."""
        rule = "weights" if self.reading == "share" else "amounts"
        numbers = {name: float(number) for name, number in self.numbers(point).items()}
        return MixSpec.model_validate({**shared.model_dump(exclude_unset=True), rule: numbers})

    def matrix(self, points: Sequence[Point], sizes: Sequence[float]) -> NDArray[np.float64]:
        """Returns mixtures [m, abilities] as a law takes them: shares, or amounts in units given each ability's size."""
        rows = np.array([[float(n) for n in self.numbers(p).values()] for p in points], dtype=np.float64)
        rows = rows.reshape(len(points), len(self.abilities))
        return rows if self.reading == "share" else rows * np.asarray(sizes, dtype=np.float64)
