"""What a recipe asks of a mixture."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

WARN_EPOCHS = 4
"""Beyond four passes repeated data is worth clearly less than new data (Muennighoff et al. 2023, R* = 15.4)."""
MOST_EPOCHS = 16

Unit = Literal["trained_tokens", "tokens", "rows"]


class MixSpec(BaseModel):
    """States the shares of a mixture; with neither ``weights`` nor ``domain_to_general`` every row is taken once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["ability", "source", "domain"] = Field(
        default="ability", description="what rows are grouped by; by domain the groups are 'domain' and 'general'"
    )
    unit: Unit = Field(default="trained_tokens", description="what amounts and shares are counted in")
    weights: dict[str, float] | None = Field(
        default=None,
        description="share of the total for each group, in any scale; every group is named, 0 leaves one out. Without a "
        "budget the total is that of all rows of groups with a share, lowered until no group exceeds max_epochs",
    )
    domain_to_general: str | None = Field(
        default=None,
        description='"1:5" takes every domain row exactly once and five times as much general data: new rows first, '
        "then further passes up to max_epochs; general groups keep their proportions",
    )
    budget: int | None = Field(
        default=None, gt=0, description="the total, in units; lowered, and said so, where max_epochs can't give it"
    )
    max_epochs: float = Field(
        default=WARN_EPOCHS, gt=0, description="most passes over one group; above 4 warns, above 16 is refused"
    )
    order: Literal["mixed"] = Field(default="mixed", description="every prefix of the stream has the shares asked for")

    @field_validator("weights")
    @classmethod
    def _weights_are_shares(cls, weights: dict[str, float] | None) -> dict[str, float] | None:
        if weights is None:
            return None
        for name, weight in weights.items():
            if not math.isfinite(weight) or weight < 0:
                raise ValueError(f"the weight of {name!r} is {weight}; a weight is a number from 0 up")
        if not any(weights.values()):
            raise ValueError("no group has a weight above 0, so nothing would be trained")
        return weights

    @field_validator("domain_to_general", mode="before")
    @classmethod
    def _ratio_is_quoted(cls, value: object) -> object:
        if isinstance(value, int):
            raise ValueError('write the ratio in quotes, as in "1:5"; YAML reads an unquoted 1:5 as the number 65')
        return value

    @field_validator("domain_to_general")
    @classmethod
    def _ratio_is_two_numbers(cls, value: str | None) -> str | None:
        if value is not None and (not _RATIO.fullmatch(value) or not Fraction(value.split(":")[0])):
            raise ValueError(f'{value!r} is no ratio of domain to general data; write it as "1:5"')
        return value

    @field_validator("max_epochs")
    @classmethod
    def _epochs_are_sane(cls, value: float) -> float:
        if value > MOST_EPOCHS:
            raise ValueError(f"max_epochs {value:g} repeats rows past any known gain; at most {MOST_EPOCHS}")
        return value

    @model_validator(mode="after")
    def _one_rule(self) -> MixSpec:
        if self.weights is not None and self.domain_to_general is not None:
            raise ValueError(
                "weights and domain_to_general both decide the shares: weights gives every group its share of the "
                "total, domain_to_general takes domain rows once and fills up with general rows; keep one of them"
            )
        if self.budget is not None and self.domain_to_general is not None:
            raise ValueError(
                "budget and domain_to_general both decide the total: budget fixes it, domain_to_general takes every "
                "domain row exactly once and derives it; keep one of them, or use weights with a budget"
            )
        return self

    @property
    def general_per_domain(self) -> Fraction:
        """General units for each domain unit, from ``domain_to_general``."""
        domain, general = str(self.domain_to_general).split(":")
        return Fraction(general.strip()) / Fraction(domain.strip())


_RATIO = re.compile(r"\s*\d+(\.\d+)?\s*:\s*\d+(\.\d+)?\s*", re.ASCII)
