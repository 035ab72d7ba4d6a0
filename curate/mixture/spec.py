"""What a recipe asks of a mixture."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Literal

from pydantic import Field, field_validator, model_validator

from curate.mixture.epochs import WARN_EPOCHS
from curate.mixture.rules import MEANINGS, CurriculumStage, GroupMax, Number, ShareRule, check_numbers

MOST_EPOCHS = 16
FORCED_EPOCHS = 1000

Unit = Literal["trained_tokens", "tokens", "rows"]
TOTALS = ("amounts", "tokens", "rows", "epochs", "domain_to_general")
"""Rules that decide how much there is in all; a budget would contradict them."""


class MixSpec(ShareRule):
    """States how much of each group is trained; with no rule every row is taken once. At most one rule is set."""

    unit: Unit = Field(default="trained_tokens", description="what amounts and shares are counted in")
    amounts: dict[str, Number] | None = Field(
        default=None,
        description="fraction of each group's own data, at most 1: 1, 1/2 … 1/64 (Yi, arXiv 2403.04652); the total follows",
    )
    tokens: dict[str, int] | None = Field(default=None, description="tokens of each group, counted in `unit`")
    rows: dict[str, int] | None = Field(default=None, description="rows of each group; needs `unit: rows`")
    epochs: dict[str, Number] | None = Field(
        default=None, description="passes over each group's own data; 2.5 is every row twice and half of them again"
    )
    domain_to_general: str | None = Field(
        default=None,
        description='"1:5" takes every domain row exactly once and five times as much general data: new rows first, '
        "then further passes up to max_epochs; `inside: {general: …}` shares it out",
    )
    budget: int | None = Field(
        default=None, gt=0, description="the total, in units; lowered, and said so, where max_epochs can't give it"
    )
    max_epochs: float = Field(
        default=WARN_EPOCHS, gt=0, description="most passes over one group; above 4 warns, above 16 needs force_epochs"
    )
    force_epochs: bool = Field(default=False, description="allows max_epochs above 16")
    per_group_max: GroupMax | None = Field(
        default=None,
        description="a quota on each group's own data, as {rows: 10000}: what is beyond it, in rank order, takes no "
        "part. Domain rows under domain_to_general are never cut",
    )
    when_short: Literal["keep_shares", "keep_total"] = Field(
        default="keep_shares",
        description="where a group would need more than max_epochs: lower the total so that all shares hold, or give "
        "that group what it can and share the rest out among the others",
    )
    rank_by: str | None = Field(
        default=None,
        description="a column an earlier stage wrote, such as a selection order: rows of a group are taken in its "
        "order, equal ones by the seeded hash; default: by the seeded hash alone",
    )
    rank_first: Literal["lowest", "highest"] = Field(default="lowest", description="which end of rank_by comes first")
    order: Literal["mixed", "shuffle", "curriculum"] = Field(
        default="mixed",
        description="mixed: every prefix of the stream has the shares of the whole; shuffle: a seeded shuffle; "
        "curriculum: the stages below, one after the other",
    )
    curriculum: tuple[CurriculumStage, ...] = Field(
        default=(), description="stages of `order: curriculum`; a row goes to the first that takes it; `{}` takes any"
    )

    @field_validator("amounts")
    @classmethod
    def _amounts_are_fractions(cls, amounts: dict[str, float] | None) -> dict[str, float] | None:
        return check_numbers("amounts", amounts, most=1)

    @field_validator("epochs")
    @classmethod
    def _epochs_are_numbers(cls, epochs: dict[str, float] | None) -> dict[str, float] | None:
        return check_numbers("epochs", epochs)

    @field_validator("tokens", "rows")
    @classmethod
    def _counts_are_numbers(cls, counts: dict[str, int] | None) -> dict[str, int] | None:
        check_numbers("the number", counts)  # type: ignore[arg-type]  # whole numbers are numbers
        return counts

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

    @model_validator(mode="after")
    def _epochs_are_sane(self) -> MixSpec:
        if self.max_epochs > MOST_EPOCHS and not self.force_epochs:
            raise ValueError(
                f"max_epochs {self.max_epochs:g} repeats rows past any known gain; at most {MOST_EPOCHS}, or set "
                "`force_epochs: true`"
            )
        if self.max_epochs > FORCED_EPOCHS:
            raise ValueError(f"max_epochs {self.max_epochs:g}: at most {FORCED_EPOCHS}, even when forced")
        for name, passes in (self.epochs or {}).items():
            if passes > self.max_epochs:
                raise ValueError(f"epochs of {name!r} is {passes:g}, above max_epochs {self.max_epochs:g}; raise that")
        return self

    @model_validator(mode="after")
    def _one_total(self) -> MixSpec:
        if self.budget is not None and self.rule in TOTALS:
            raise ValueError(
                f"budget and {self.rule} both decide the total: budget fixes it, {MEANINGS[self.rule]} and derives it; "
                "keep one of them, or use weights with a budget"
            )
        if self.tokens is not None and self.unit == "rows":
            raise ValueError("tokens counts tokens and `unit: rows` counts rows; write `rows:`, or leave the unit out")
        if self.rows is not None and self.unit != "rows":
            raise ValueError(f"rows counts rows and the unit is {self.unit}; add `unit: rows`, or write `tokens:`")
        if self.domain_to_general is not None and "domain" in self.inside:
            raise ValueError(
                "domain_to_general takes every domain row exactly once, so there is nothing to share out inside "
                "'domain'; for shares there use `by: domain, weights: {domain: 1, general: 5}`"
            )
        return self

    @model_validator(mode="after")
    def _order_has_its_stages(self) -> MixSpec:
        if (self.order == "curriculum") != bool(self.curriculum):
            raise ValueError("`order: curriculum` goes with a list of stages in `curriculum:`; the other has no effect")
        return self

    @property
    def general_per_domain(self) -> Fraction:
        """General units for each domain unit, from ``domain_to_general``."""
        domain, general = str(self.domain_to_general).split(":")
        return Fraction(general.strip()) / Fraction(domain.strip())

    @property
    def unit_words(self) -> str:
        """The unit as words."""
        return self.unit.replace("_", " ")


_RATIO = re.compile(r"\s*\d+(\.\d+)?\s*:\s*\d+(\.\d+)?\s*", re.ASCII)
