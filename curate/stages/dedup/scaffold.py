"""Scaffold: the shingles that many rows of a source share by construction, counted on a sample.

Counting every row would cost as much as the sketch itself. Of each source and part (of more than 16 parts, of 16 evenly
spaced ones) the 512 rows with the least ids (which are hashes of content) are counted, and shingles in more than a
quarter of the share are handed on: a few thousand numbers a part. A share is then known to about 2 points where a source
is one part, and to half a point where it is many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.arrow_rows import ArrowRows
from curate.stages.dedup.shingle_loop import HINTS

SAMPLED = 512
"""Rows of a source that are counted in each part."""

FEWEST = 100
"""A source needs this many different rows in the sample: what a handful share may be all they say."""

_LOW_BITS = 1 << 16
_SCHEMA: dict[str, Any] = {"source": pl.String, "shingle": pl.UInt32, "rows": pl.Int64}
Sets = Callable[[ArrowRows, pl.DataFrame | None], pl.Series]


def sampled(labels: pl.DataFrame) -> NDArray[np.int64]:
    """Returns which rows of a part are counted, by their sources and ids."""
    places = labels.select("source", "id").with_row_index("row")
    least = pl.col("row").top_k_by("id", SAMPLED, reverse=True)
    found = places.group_by("source").agg(least)["row"].explode().sort()
    return found.to_numpy().astype(np.int64)


def survey_shingles(rows: ArrowRows, sets: Sets, share: float) -> pl.DataFrame:
    """Returns source, shingle and in how many sampled rows of the part it is; a null shingle counts the rows."""
    frames = [pl.DataFrame(schema=_SCHEMA)]
    for source in rows["source"].unique().sort():
        different = (
            sets(rows.at((rows["source"] == source).arg_true().to_numpy()), None)
            .unique(maintain_order=True)
            .drop_nulls()
        )
        different = different.filter(different.list.len() > 0)
        shingle, number = _frequent(different.explode(empty_as_null=False).to_numpy(), share / 4 * len(different))
        counted = {"shingle": [None, *shingle], "rows": [len(different), *number]}
        frames.append(pl.DataFrame({"source": source, **counted}, schema=_SCHEMA))
    return pl.concat(frames)


def _frequent(shingles: NDArray[np.uint32], least: float) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Returns the numbers that occur more than ``least`` times, and how often; few do, so only those are sorted whose
    low bits are as frequent.
    """
    low = shingles & np.uint32(_LOW_BITS - 1)
    hopeful = shingles[(np.bincount(low, minlength=_LOW_BITS) > least)[low]]
    found, number = np.unique(hopeful, return_counts=True)
    return found[number > least], number[number > least]


def learned_scaffold(surveys: pl.DataFrame, share: float) -> pl.DataFrame:
    """Returns the shingles in more than a share of the sampled rows of some source, sorted."""
    counted = surveys.group_by("source", "shingle").agg(pl.col("rows").sum())
    totals = counted.filter(pl.col("shingle").is_null() & (pl.col("rows") >= FEWEST)).select("source", total="rows")
    found = counted.filter(pl.col("shingle").is_not_null()).join(totals, on="source")
    return found.filter(pl.col("rows") > share * pl.col("total")).select("shingle").unique().sort("shingle")


def scaffold_of(learned: pl.DataFrame | None) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Returns the scaffold as the compiled loops take it: sorted, and which low bits there are."""
    shingles = np.empty(0, np.uint32) if learned is None else learned["shingle"].to_numpy().copy()
    hints = np.zeros(HINTS, np.bool_)
    hints[shingles & (HINTS - 1)] = True
    return shingles, hints
