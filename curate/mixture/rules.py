"""The rules a mixture may follow: how a total is shared out among groups, and inside each of them."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

By = Literal["ability", "source", "domain", "language", "primary_tag"]

OTHERS = "*"
"""The name that stands for every group not named."""

MEANINGS = {
    "weights": "weights gives every group its share of the total",
    "amounts": "amounts gives every group a fraction of its own data",
    "tokens": "tokens gives every group a number of tokens",
    "rows": "rows gives every group a number of rows",
    "epochs": "epochs gives every group a number of passes over its own data",
    "domain_to_general": "domain_to_general takes domain rows once and fills up with general rows",
    "temperature": "temperature gives shares by size to the power 1/T",
    "equal": "equal gives every group the same share",
    "proportional": "proportional gives shares by size",
}
"""What each rule means, in the words of error messages; at most one is set."""


def _number(value: Any) -> Any:
    """Reads a fraction such as "1/64" as the number it is."""
    if not isinstance(value, str) or value.count("/") != 1:
        return value
    above, below = value.split("/")
    try:
        return float(above) / float(below)
    except (ValueError, ZeroDivisionError):
        return value


Number = Annotated[float, BeforeValidator(_number)]


class Frozen(BaseModel):
    """A model that refuses unknown keys and never changes. Its checks are built when first used, most with a recipe's."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Temperature(Frozen):
    """Shares by size to the power 1/T (Raffel et al. 2020, section 3.5.2): the cap first, then the temperature."""

    T: float = Field(default=2, ge=1, description="1 is proportional; the larger, the nearer to equal shares")
    cap: int | None = Field(default=None, gt=0, description="sizes count at most this much, in units")


def check_numbers(name: str, given: dict[str, float] | None, most: float = math.inf) -> dict[str, float] | None:
    """Checks the numbers of one rule; returns them."""
    for group, number in (given or {}).items():
        if not math.isfinite(number) or number < 0:
            raise ValueError(f"{name} of {group!r} is {number}; it is a number from 0 up")
        if number > most:
            raise ValueError(
                f"{name} of {group!r} is {number:g}: a fraction of its own data is at most {most:g}; "
                "`epochs` says how many passes"
            )
    if given is not None and not any(given.values()):
        raise ValueError(f"{name}: no group has a number above 0, so nothing would be trained")
    return given


class ShareRule(Frozen):
    """How a total is shared out among groups; with no rule by size."""

    by: By = Field(
        default="ability",
        description="what rows are grouped by; by domain the groups are 'domain' and 'general'; by primary_tag a row "
        "counts for its first tag",
    )
    weights: dict[str, Number] | None = Field(
        default=None,
        description="share of the total for each group, in any scale; every group is named, or '*' for the others, 0 "
        "leaves one out",
    )
    temperature: Temperature | None = Field(
        default=None, description="shares by min(size, cap) to the power 1/T: {T: 2} lifts small groups"
    )
    equal: bool = Field(default=False, description="the same share for every group")
    proportional: bool = Field(default=False, description="shares by size: every row counts the same; the default")
    inside: dict[str, InnerMix] = Field(
        default={}, description="how the part of a group is shared out inside it, by group; '*' for the others"
    )

    @field_validator("weights")
    @classmethod
    def _weights_are_shares(cls, weights: dict[str, float] | None) -> dict[str, float] | None:
        return check_numbers("weights", weights)

    @property
    def rules(self) -> list[str]:
        """Names of the rules set."""
        return [name for name in MEANINGS if getattr(self, name, None) not in (None, False)]

    @property
    def rule(self) -> str:
        """The rule that is followed."""
        return self.rules[0] if self.rules else "proportional"

    @model_validator(mode="after")
    def _one_rule(self) -> ShareRule:
        if len(self.rules) > 1:
            first, second = self.rules[:2]
            raise ValueError(
                f"{first} and {second} both decide the shares: {MEANINGS[first]}, {MEANINGS[second]}; keep one of them"
            )
        outside = "domain" if self.rule == "domain_to_general" else self.by
        for name, inner in self.inside.items():
            if inner.by == outside:
                raise ValueError(f"inside {name!r}: its rows are grouped by {outside} already; give another `by`")
        return self


class InnerMix(ShareRule):
    """How the part of one group is shared out inside it."""


ShareRule.model_rebuild()


class GroupMax(Frozen):
    """A quota: how much of each group's own data takes part at all; exactly one number."""

    rows: int | None = Field(default=None, gt=0, description="most rows of each group")
    tokens: int | None = Field(default=None, gt=0, description="most tokens of each group")
    trained_tokens: int | None = Field(default=None, gt=0, description="most trained tokens of each group")
    by: By | None = Field(default=None, description="what the quota is for; default: the groups of the mixture")

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, value: Any) -> Any:
        if isinstance(value, int | float):
            raise ValueError(f"per_group_max says what it counts: {{rows: {value}}} or {{trained_tokens: {value}}}")
        return value

    @model_validator(mode="after")
    def _one_number(self) -> GroupMax:
        if sum(n is not None for n in (self.rows, self.tokens, self.trained_tokens)) != 1:
            raise ValueError("per_group_max takes exactly one of rows, tokens and trained_tokens")
        return self

    @property
    def unit(self) -> Literal["rows", "tokens", "trained_tokens"]:
        """What the quota is counted in."""
        return "rows" if self.rows else "tokens" if self.tokens else "trained_tokens"

    @property
    def most(self) -> int:
        """The quota."""
        return self.rows or self.tokens or self.trained_tokens or 0


class CurriculumStage(Frozen):
    """Part of a staged order: the places it takes, of those no earlier stage took, mixed among themselves."""

    groups: tuple[str, ...] = Field(default=(), description="names of groups; empty means any")
    domain: bool | None = Field(default=None, description="true: domain rows, false: general rows")
    max_tokens: int | None = Field(default=None, gt=0, description="rows of at most this many tokens")
    share: Number = Field(default=1, gt=0, le=1, description="this share of each group's matching rows; the rest later")
