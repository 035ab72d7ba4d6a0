"""require: keeps only the rows in which something is said that must be said, such as a greeting or a disclaimer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import AfterValidator, Field, model_validator

from curate.stage import Filter
from curate.stages.safety.phrases import checked_patterns, checked_terms, each_of, wanted_turns


class Require(Filter):
    """Drops rows in which required terms or patterns do not occur."""

    name: ClassVar[str] = "require"
    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = ("required_missing",)

    terms: Annotated[tuple[str, ...], AfterValidator(checked_terms)] = Field(
        default=(), description="plain substrings; full-width and half-width characters are the same"
    )
    patterns: Annotated[tuple[str, ...], AfterValidator(checked_patterns)] = Field(
        default=(), description="regular expressions in RE2 style: no look-around, no back-references"
    )
    match: Literal["all", "any"] = Field(
        default="all", description="all: each of them must occur somewhere in the row; any: one is enough"
    )
    ignore_case: bool = Field(default=True, description="letters match in either case, for terms and patterns")
    roles: tuple[str, ...] = Field(
        default=("user", "assistant", "document"), description="roles of the turns that are searched"
    )

    @model_validator(mode="after")
    def _something_is_required(self) -> Require:
        if not self.terms and not self.patterns:
            raise ValueError("nothing is required: give `terms` or `patterns`")
        return self

    def judge(self, rows: pl.DataFrame) -> pl.Series:
        """Returns ``required_missing`` for rows that lack what must be there."""
        seen = wanted_turns(rows, self.roles)
        every = pl.int_range(rows.height, dtype=pl.UInt32, eager=True)
        found = [
            every.is_in(seen.filter(pl.col("text").str.contains(pattern))["row"].unique().implode())
            for pattern in each_of(self.terms, self.patterns, ignore_case=self.ignore_case)
        ]
        fold = pl.all_horizontal if self.match == "all" else pl.any_horizontal
        present = pl.select(fold(found)).to_series()
        return pl.select(pl.when(~present).then(pl.lit("required_missing"))).to_series().rename("reason")
