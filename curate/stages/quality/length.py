"""Length bounds in characters, turns and tokens: counted once, so that moving a bound counts nothing again."""

from __future__ import annotations

from typing import ClassVar, Self

import polars as pl
from pydantic import Field, model_validator

from curate.fingerprint import FileRef
from curate.rows import CHAT_FIELDS, flat_messages
from curate.stage import Composite, Filter, Score, Stage
from curate.stages.quality.token_length import TokenLength

_UNITS = ("chars", "turns", "tokens")
_ROLES = ("system", "user", "assistant", "tool", "document")


class CharLength(Score):
    """Counts the characters and turns of each row."""

    name: ClassVar[str] = "char_length"
    writes: ClassVar[tuple[str, ...]] = ("length_chars", "length_turns")

    roles: tuple[str, ...] = Field(default=_ROLES, description="roles of the turns counted; `document` is a text")

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns length_chars and length_turns (Int64); of two answers the longer counts, a document has no turns."""
        counts = {field: self._counts(rows, field) for field in CHAT_FIELDS}
        chars, turns = (
            counts["messages"][unit]
            + counts["prompt"][unit]
            + counts["completion"][unit]
            + pl.select(pl.max_horizontal(counts["chosen"][unit], counts["rejected"][unit])).to_series()
            for unit in ("chars", "turns")
        )
        if "document" in self.roles:
            chars = chars + rows["text"].str.len_chars().fill_null(0).cast(pl.Int64)
        turns = pl.select(pl.when(rows["kind"] != "text").then(turns)).to_series()
        return pl.DataFrame({"length_chars": chars, "length_turns": turns})

    def _counts(self, rows: pl.DataFrame, field: str) -> pl.DataFrame:
        """Returns chars and turns (Int64) of one field of each row, 0 where it is null."""
        index = pl.DataFrame({"row": pl.int_range(rows.height, dtype=pl.UInt32, eager=True)})
        flat = flat_messages(rows, field).filter(pl.col("role").is_in(list(self.roles)))
        sums = flat.group_by("row").agg(
            chars=pl.col("content").str.len_chars().sum().cast(pl.Int64), turns=pl.len().cast(pl.Int64)
        )
        return index.join(sums, on="row", how="left", maintain_order="left").select(
            pl.col("chars", "turns").fill_null(0)
        )


class LengthBounds(Filter):
    """Drops rows outside the bounds of one unit."""

    name: ClassVar[str] = "length_bounds"
    reasons: ClassVar[tuple[str, ...]] = tuple(f"too_{end}_{unit}" for unit in _UNITS for end in ("short", "long"))

    unit: str = Field(description="the score column judged: `chars`, `turns` or `tokens`")
    minimum: int | None = Field(default=None, description="fewest that stay")
    maximum: int | None = Field(default=None, description="most that stay")

    def judge(self, rows: pl.DataFrame) -> pl.Series:
        """Returns too_short or too_long with the unit, or null; a row without the score stays."""
        length = pl.col(f"length_{self.unit}")
        short = length < self.minimum if self.minimum is not None else pl.lit(False)
        long = length > self.maximum if self.maximum is not None else pl.lit(False)
        verdict = pl.when(short).then(pl.lit(f"too_short_{self.unit}")).when(long)
        return rows.select(reason=verdict.then(pl.lit(f"too_long_{self.unit}")))["reason"]


class Length(Composite):
    """Drops rows that are too short or too long."""

    name: ClassVar[str] = "length"
    writes: ClassVar[tuple[str, ...]] = ("length_chars", "length_turns", "length_tokens")
    reasons: ClassVar[tuple[str, ...]] = LengthBounds.reasons

    min_chars: int | None = Field(default=None, ge=0, description="fewest characters of a row")
    max_chars: int | None = Field(default=None, ge=0, description="most characters of a row")
    min_turns: int | None = Field(default=None, ge=0, description="fewest messages of a conversation")
    max_turns: int | None = Field(default=None, ge=0, description="most messages of a conversation")
    min_tokens: int | None = Field(default=None, ge=0, description="fewest tokens of a row in the chat template")
    max_tokens: int | None = Field(default=None, ge=0, description="most tokens of a row in the chat template")
    roles: tuple[str, ...] = Field(
        default=_ROLES, description="roles whose characters and turns count; tokens are always those of the whole row"
    )
    tokenizer: FileRef | None = Field(default=None, description="tokenizer that counts tokens; default the recipe's")

    @property
    def needs_tokenizer(self) -> bool:
        """True when a bound in tokens is set."""
        return self.min_tokens is not None or self.max_tokens is not None

    @model_validator(mode="after")
    def _bounds_hold(self) -> Self:
        bounds = [(unit, *self._bounds(unit)) for unit in _UNITS]
        if all(low is None and high is None for _, low, high in bounds):
            raise ValueError("no bound is set: give at least one of min_/max_ chars, turns or tokens")
        for unit, low, high in bounds:
            if low is not None and high is not None and low > high:
                raise ValueError(f"min_{unit} {low:,d} is above max_{unit} {high:,d}, so no row could stay")
        return self

    def parts(self) -> tuple[Stage, ...]:
        """Returns the counts that are needed, then one filter for each unit with a bound."""
        bounded = [unit for unit in _UNITS if self._bounds(unit) != (None, None)]
        scores: list[Stage] = []
        if "chars" in bounded or "turns" in bounded:
            scores.append(CharLength(only=self.only, roles=self.roles))
        if "tokens" in bounded:
            scores.append(TokenLength(only=self.only, tokenizer=self.tokenizer))
        filters = (self._filter(unit) for unit in bounded)
        return (*scores, *filters)

    def _filter(self, unit: str) -> LengthBounds:
        low, high = self._bounds(unit)
        return LengthBounds(only=self.only, unit=unit, minimum=low, maximum=high)

    def _bounds(self, unit: str) -> tuple[int | None, int | None]:
        return getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
