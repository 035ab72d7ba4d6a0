"""The survey of scaffold: which shingles it counts, and how often each is there."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curate.arrow_rows import ArrowRows
from curate.stages.dedup.scaffold import SAMPLED, sampled, survey_shingles

COMMON = st.lists(st.sampled_from([1, 2, 1 << 16, (1 << 16) + 1, (1 << 31) + 1]), max_size=5)
RARE = st.lists(st.integers(0, (1 << 32) - 1), max_size=20)
SETS = st.lists(st.tuples(COMMON, RARE).map(lambda both: sorted({*both[0], *both[1]})), min_size=1, max_size=40)


@given(SETS, st.sampled_from([0.1, 0.5, 1.0]))
def test_frequent_shingles_are_counted_exactly(sets: list[list[int]], share: float) -> None:
    """Those in more than a quarter of the share of different rows, whatever others their low bits meet."""
    rows = pl.DataFrame({"source": "a", "id": [f"{n:04d}" for n in range(len(sets))]})
    column = pl.Series(sets, dtype=pl.List(pl.UInt32))
    found = survey_shingles(ArrowRows.of(rows), lambda mine, _: column[: len(mine)], share)
    different = {tuple(one) for one in sets if one}
    counted = Counter(shingle for one in different for shingle in one)
    expected = {None: len(different)} | {s: n for s, n in counted.items() if n > share / 4 * len(different)}
    assert dict(found.select("shingle", "rows").iter_rows()) == expected
    assert found["shingle"].drop_nulls().is_sorted()


def test_a_sample_of_a_part_is_counted() -> None:
    """The rows of the least ids, source by source."""
    height = SAMPLED + 88
    ids = np.random.default_rng(1).permutation(height)
    rows = pl.DataFrame({"source": ["b", "a"] * (height // 2), "id": [f"{n:04d}" for n in ids]})
    rows = pl.concat([rows, rows.with_columns(source=pl.lit("b"))])
    places = sampled(rows)
    assert (np.diff(places) > 0).all()
    of = {source: rows[places].filter(pl.col("source") == source)["id"].sort().to_list() for source in "ab"}
    assert of["a"] == rows.filter(pl.col("source") == "a")["id"].sort().to_list()
    assert of["b"] == rows.filter(pl.col("source") == "b")["id"].sort()[:SAMPLED].to_list()


def test_sources_are_counted_apart() -> None:
    """One after the other, in the order of their names."""
    rows = pl.DataFrame({"source": ["b", "a", "b"], "id": ["0", "1", "2"]})

    def sets(mine: ArrowRows, _: pl.DataFrame | None) -> pl.Series:
        return pl.Series([[int(n)] for n in mine["id"]], dtype=pl.List(pl.UInt32))

    found = survey_shingles(ArrowRows.of(rows), sets, 1.0)
    assert found.rows() == [("a", None, 1), ("a", 1, 1), ("b", None, 2), ("b", 0, 1), ("b", 2, 1)]
