"""The shapes of stages: Score, Filter, Edit, Select and Composite.

A stage is a frozen model: its fields are its parameters and its identity. It is pure: frames in, proposals out, blind
to files, ranks and clocks. Chance comes from a ``seed`` field and the row's id, never from a position.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from curate.rows import KINDS, Kind

DROPS: dict[str, pl.DataType] = {"row": pl.UInt32(), "reason": pl.String(), "action": pl.String()}
NOTES: dict[str, pl.DataType] = {"row": pl.UInt32(), "reason": pl.String()}


class Only(BaseModel):
    """Which rows a stage sees; an empty list means any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: tuple[str, ...] = Field(default=(), description="names of sources")
    ability: tuple[str, ...] = Field(default=(), description="abilities")
    domain: bool | None = Field(default=None, description="true: domain rows, false: general rows")
    language: tuple[str, ...] = Field(default=(), description="language codes, as the language stage writes them")

    @property
    def everything(self) -> bool:
        """True when no condition is set."""
        return self == Only()

    def choose(self, rows: pl.DataFrame) -> pl.Series:
        """Returns which rows are meant (Boolean). A row's language is its own, or what the language stage found."""
        language = pl.col("language")
        if "language_detected" in rows.columns:
            language = pl.coalesce("language", "language_detected")
        terms = [pl.repeat(True, pl.len())]
        for name, column in (("source", pl.col("source")), ("ability", pl.col("ability")), ("language", language)):
            if wanted := getattr(self, name):
                terms.append(column.is_in(list(wanted)).fill_null(False))
        if self.domain is not None:
            terms.append((pl.col("domain") == self.domain).fill_null(False))
        return rows.select(pl.all_horizontal(terms).alias("chosen"))["chosen"]


class Stage(BaseModel):
    """One declared operation on rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised whenever the same parameters would give another result."""
    kinds: ClassVar[tuple[Kind, ...]] = KINDS
    """Kinds of rows the stage acts on; rows of other kinds pass untouched."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Score columns that an earlier stage must have written."""
    writes: ClassVar[tuple[str, ...]] = ()
    """Score columns the stage writes."""
    reasons: ClassVar[tuple[str, ...]] = ()
    """Every reason code the stage can put into the ledger."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions whose version is part of the key, because another version may give another result."""
    cost: ClassVar[Literal["cheap", "dear"]] = "cheap"
    gpus: ClassVar[int] = 0
    """GPUs a part is worked on with where there are any; a stage that names some runs in a pass of its own."""

    only: Only = Field(default=Only(), description="rows the stage sees; the others pass untouched")

    @property
    def needs_tokenizer(self) -> bool:
        """True when the stage counts tokens; its ``tokenizer`` field is then filled with the recipe's."""
        return False

    def check(self) -> None:
        """Raises a CurateError when files the stage is given can't be used; the plan asks before any work."""


class RowLocal(Stage):
    """A stage whose result for a row depends on that row alone."""


class Score(RowLocal):
    """Computes new columns."""

    aside: ClassVar[bool] = False
    """True when the columns are for the Selects that follow in the same composite, and do not stay with the rows."""

    @abstractmethod
    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns a frame of exactly the columns named in ``writes``, one value for each row, in order."""


class Filter(RowLocal):
    """Decides which rows stay."""

    @abstractmethod
    def judge(self, rows: pl.DataFrame) -> pl.Series:
        """Returns a string series: null keeps the row, anything else is the reason code it is dropped for."""

    @property
    def only_notes(self) -> bool:
        """True when a reason is noted in the ledger and the row stays."""
        return False

    def evidence(self, rows: pl.DataFrame) -> pl.DataFrame | None:
        """Returns the ledger's other_id (String) and score (Float64) of each row, when the stage knows them."""
        return None


@dataclass(frozen=True)
class Edited:
    """What an Edit proposes. Rows it does not name pass untouched.

    ``rows`` are replacements (same columns as the input), ordered; ``origin`` (UInt32) is the position in the input
    of each and never falls; an origin named once is an edit, one named more than once is expanded into children
    (their ids are set by the runner); ``reasons`` is the code for each. ``drops`` has columns row, reason and
    action (``drop`` or ``quarantine``); ``notes`` has row and reason: seen, reported, not changed.
    """

    rows: pl.DataFrame
    origin: pl.Series
    reasons: pl.Series
    drops: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DROPS))
    notes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NOTES))

    @classmethod
    def of(
        cls,
        rows: pl.DataFrame,
        origin: pl.Series,
        reason: str,
        drops: pl.DataFrame | None = None,
        notes: pl.DataFrame | None = None,
    ) -> Edited:
        """Returns a proposal whose replacements all carry one reason."""
        reasons = pl.repeat(reason, rows.height, dtype=pl.String, eager=True)
        return cls(
            rows,
            origin.cast(pl.UInt32),
            reasons,
            pl.DataFrame(schema=DROPS) if drops is None else drops,
            pl.DataFrame(schema=NOTES) if notes is None else notes,
        )


class Edit(RowLocal):
    """Replaces, expands or drops rows, each with a reason."""

    @abstractmethod
    def edit(self, rows: pl.DataFrame) -> Edited:
        """Returns the replacements, drops and notes for the rows."""


class Composite(Stage):
    """A stage made of others, so that moving its threshold never scores again."""

    @abstractmethod
    def parts(self) -> tuple[Stage, ...]:
        """Returns the stages it stands for, in order; each has its own key."""
