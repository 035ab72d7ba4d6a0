"""Keep policy: which row of several that are alike stays."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, Field, model_validator

from curate.arrow_rows import ArrowRows
from curate.errors import StageError
from curate.rows import CHAT_FIELDS
from curate.stage import Select

_BELONGS = {"source": "sources", "score": "column", "newest": "time"}
_LAST = 1 << 60


class Keeping(BaseModel):
    """By which order rows are kept; ties go to the first in the data."""

    keep: Literal["first", "longest", "source", "score", "newest"] = Field(
        default="first",
        description="which row stays: the first in the data, the one with most characters, the one whose source comes "
        "first in `sources`, the one with the highest `column`, or the one with the latest `time`",
    )
    sources: tuple[str, ...] = Field(default=(), description="sources in the order they are kept, for `keep: source`")
    column: str = Field(default="", description="a number column an earlier stage wrote, for `keep: score`")
    time: str = Field(
        default="",
        description="a field of the rows' meta that holds a number or an ISO 8601 time, for `keep: newest`; rows "
        "without it are the oldest",
    )

    @model_validator(mode="after")
    def _fields_fit_keep(self) -> Self:
        for keep, name in _BELONGS.items():
            if (self.keep == keep) != bool(getattr(self, name)):
                example = ": name sources, most wanted first" if name == "sources" else ""
                raise ValueError(f"`{name}` is needed with `keep: {keep}`, and only then{example}")
        return self


class KeepingSelect(Select, Keeping):
    """A Select that keeps rows by a chosen order."""

    def ranks(self, rows: ArrowRows) -> pl.Series:
        """Returns the rank of each row (Int64), lowest is kept.

        Raises:
            StageError: when `column` is no number column of the rows.
        """
        if self.keep == "source":
            places = list(range(len(self.sources)))
            last = len(self.sources)
            return rows["source"].replace_strict(list(self.sources), places, default=last, return_dtype=pl.Int64)
        if self.keep == "longest":
            return -characters(rows.frame())
        if self.keep == "score":
            return self._score_ranks(rows)
        if self.keep == "newest":
            return _newest_first(rows["meta"], self.time)
        return pl.zeros(len(rows), dtype=pl.Int64, eager=True)

    def _score_ranks(self, rows: ArrowRows) -> pl.Series:
        if self.column not in rows.labels.columns or not rows[self.column].dtype.is_numeric():
            raise StageError(
                f"stage {self.name!r} keeps by the number column {self.column!r}, which no earlier stage writes"
            )
        return _descending(rows[self.column].cast(pl.Float64))


def characters(rows: pl.DataFrame) -> pl.Series:
    """Returns the characters of all messages or the text of each row."""
    found = rows["text"].str.len_chars().fill_null(0).cast(pl.Int64)
    for field in CHAT_FIELDS:
        contents = pl.element().struct.field("content").str.len_chars()
        found += rows[field].list.eval(contents).list.sum().fill_null(0).cast(pl.Int64)
    return found


def _newest_first(meta: pl.Series, field: str) -> pl.Series:
    """Returns the rank of each row's time: seconds since 1970 where it is written as a date, else the number."""
    name = field.replace('"', "")
    text = pl.DataFrame({"meta": meta}).select(pl.col("meta").str.json_path_match(f'$["{name}"]').alias("time"))["time"]
    plain = text.str.strip_chars().str.replace(r"Z$", "+00:00").str.replace(" ", "T", literal=True)
    zoned = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_zone="UTC", strict=False)
    naive = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_zone="UTC", strict=False)
    day = plain.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us", "UTC"))
    frame = pl.DataFrame({"number": text.cast(pl.Float64, strict=False), "zoned": zoned, "naive": naive, "day": day})
    seconds = pl.coalesce("zoned", "naive", "day").dt.timestamp("us") / 1_000_000
    return _descending(frame.select(pl.coalesce(pl.col("number"), seconds).alias("time"))["time"])


def _descending(values: pl.Series) -> pl.Series:
    """Returns ranks that fall as values rise, rounded to six digits; what is no number comes last."""
    found = np.round(values.fill_null(float("nan")).to_numpy() * 1e6)
    ranks = np.full(found.size, _LAST, np.int64)
    known = np.isfinite(found)
    ranks[known] = -np.clip(found[known], -_LAST + 1, _LAST - 1).astype(np.int64)
    return pl.Series(ranks)
