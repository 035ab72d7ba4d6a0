"""The repetition rules of Gopher (Rae et al. 2021, table A1) for each answer and document, and repeated turns.

The paper counts words; here a Han or kana character is a unit too, and where most units are characters an n-gram is
twice as wide, since a Chinese word has about two.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from curate.rows import turns
from curate.stage import Composite, Filter, Score, Stage
from curate.stages.quality.repeats import MEASURES, measure

_COLUMNS = (*(f"repetition_{name}" for name in MEASURES), "repetition_turns")
_REASONS = (
    "duplicate_lines",
    "duplicate_line_chars",
    "duplicate_paragraphs",
    "duplicate_paragraph_chars",
    *(f"top_{n}_gram" for n in (2, 3, 4)),
    *(f"duplicate_{n}_grams" for n in range(5, 11)),
    "repeated_turns",
)
_CODE = r"```[\s\S]*?(?:```|\z)"
_FEWEST_TURNS = 4
_SHORT_TURN = 6


class RepetitionScore(Score):
    """Measures how much each row repeats itself."""

    name: ClassVar[str] = "repetition_score"
    writes: ClassVar[tuple[str, ...]] = _COLUMNS

    roles: tuple[str, ...] = Field(default=("assistant", "document"), description="roles of the turns measured")
    min_words: int = Field(default=100, ge=1, description="shorter turns (words, or Han characters) are not measured")

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the shares (Float64, 4 decimals) of the worst turn of each row, and its repeated-turn ratio."""
        everything = turns(rows)
        flat = everything.filter(pl.col("role").is_in(list(self.roles)) & _meant_well(rows, everything))
        long = flat.filter(pl.col("text").str.len_bytes() >= self.min_words)
        shares = _measured(_without_code(long["text"]), self.min_words)
        worst = pl.concat([long.select("row"), shares], how="horizontal").group_by("row").agg(pl.all().max())
        index = pl.DataFrame({"row": pl.int_range(rows.height, dtype=pl.UInt32, eager=True)})
        scores = index.join(worst, on="row", how="left", maintain_order="left")
        scores = scores.join(_repeated_turns(everything), on="row", how="left", maintain_order="left")
        return scores.select(pl.col(_COLUMNS).fill_null(0.0).round(4))


class RepetitionBounds(Filter):
    """Drops rows that repeat themselves more than allowed."""

    name: ClassVar[str] = "repetition_bounds"
    version: ClassVar[int] = 2
    needs: ClassVar[tuple[str, ...]] = _COLUMNS
    reasons: ClassVar[tuple[str, ...]] = _REASONS

    bounds: tuple[float, ...] = Field(
        min_length=len(_COLUMNS), max_length=len(_COLUMNS), description="most that stays, one for each score column"
    )
    answer_slack: float = Field(
        default=1.0, ge=1, description="how many times the bounds on a text's own shares hold for chats"
    )

    def judge(self, rows: pl.DataFrame) -> pl.Series:
        """Returns the reason of the first rule a row breaks, or null."""
        of_documents = pl.col("kind") == "text"
        broken = [
            pl.when(pl.col(column) > pl.when(of_documents).then(bound).otherwise(self._for_chats(column, bound))).then(
                pl.lit(reason)
            )
            for column, bound, reason in zip(_COLUMNS, self.bounds, _REASONS, strict=True)
        ]
        return rows.select(reason=pl.coalesce(broken))["reason"]

    def _for_chats(self, column: str, bound: float) -> float:
        return bound if column == "repetition_turns" else min(1.0, bound * self.answer_slack)


class Repetition(Composite):
    """Drops rows with an answer or document that goes round in circles, and dialogues that repeat their turns."""

    name: ClassVar[str] = "repetition"
    version: ClassVar[int] = 2
    writes: ClassVar[tuple[str, ...]] = _COLUMNS
    reasons: ClassVar[tuple[str, ...]] = _REASONS

    max_lines: float = Field(default=0.30, ge=0, le=1, description="most repeated lines, as a share of lines")
    max_line_chars: float = Field(default=0.20, ge=0, le=1, description="most characters in repeated lines")
    max_paragraphs: float = Field(default=0.30, ge=0, le=1, description="most repeated paragraphs")
    max_paragraph_chars: float = Field(default=0.20, ge=0, le=1, description="most characters in repeated paragraphs")
    max_top: tuple[float, float, float] = Field(
        default=(0.20, 0.18, 0.16), description="most characters in the most frequent 2-, 3- and 4-gram"
    )
    max_duplicate: tuple[float, float, float, float, float, float] = Field(
        default=(0.15, 0.14, 0.13, 0.12, 0.11, 0.10), description="most characters in repeated 5- to 10-grams"
    )
    answer_slack: float = Field(
        default=2.0, ge=1, description="in chats the bounds above are this many times as high; 1: as for documents"
    )
    max_turns: float = Field(default=0.50, ge=0, le=1, description="most turns that repeat an earlier turn of the row")
    roles: tuple[str, ...] = Field(default=("assistant", "document"), description="roles of the turns measured")
    min_words: int = Field(default=100, ge=1, description="shorter turns (words, or Han characters) are not measured")

    @field_validator("max_top", "max_duplicate")
    @classmethod
    def _shares(cls, bounds: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= bound <= 1 for bound in bounds):
            raise ValueError(f"every bound is a share from 0 to 1, found {list(bounds)}")
        return bounds

    def parts(self) -> tuple[Stage, ...]:
        """Returns the measures and the verdict."""
        lines = (self.max_lines, self.max_line_chars, self.max_paragraphs, self.max_paragraph_chars)
        return (
            RepetitionScore(only=self.only, roles=self.roles, min_words=self.min_words),
            RepetitionBounds(
                only=self.only,
                bounds=(*lines, *self.max_top, *self.max_duplicate, self.max_turns),
                answer_slack=self.answer_slack,
            ),
        )


def _meant_well(rows: pl.DataFrame, flat: pl.DataFrame) -> pl.Expr:
    """Says of each turn that it is no example of what not to say: not rejected, not a completion judged bad."""
    bad = (~rows["label"]).fill_null(False).gather(flat["row"])
    return (pl.col("field") != "rejected") & ~((pl.col("field") == "completion") & pl.lit(bad))


def _without_code(texts: pl.Series) -> pl.Series:
    fenced = texts.str.contains("```", literal=True)
    return (
        texts.scatter(fenced.arg_true(), texts.filter(fenced).str.replace_all(_CODE, "\n")) if fenced.any() else texts
    )


def _measured(texts: pl.Series, min_words: int) -> pl.DataFrame:
    """Returns the shares of each text, a column for each measure."""
    data = np.frombuffer("".join(texts.to_list()).encode(), dtype=np.uint8)
    offsets = np.concatenate([[0], np.cumsum(texts.str.len_bytes().to_numpy())]).astype(np.int64)
    return pl.DataFrame(measure(data, offsets, min_words), schema=list(_COLUMNS[:-1]))


def _repeated_turns(flat: pl.DataFrame) -> pl.DataFrame:
    """Returns row and repetition_turns: the share of user and assistant turns said before in the row by the same role.

    Turns under six characters ("好的", "thanks") do not count as repeated; rows of fewer than four turns have none.
    """
    said = flat.filter(pl.col("role").is_in(["user", "assistant"]))
    said = said.select("row", "role", pl.col("text").str.strip_chars())
    again = ~pl.struct("row", "role", "text").is_first_distinct() & (pl.col("text").str.len_chars() >= _SHORT_TURN)
    ratio = pl.when(pl.len() >= _FEWEST_TURNS).then(pl.col("again").sum() / pl.len())
    return said.with_columns(again=again).group_by("row").agg(ratio.alias("repetition_turns"))
