"""Rows whose turns are Arrow's: the same rows as a frame, however they were picked and put together."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.arrow import lists_of
from curate.arrow_rows import ArrowRows
from curate.rows import ROW_SCHEMA, empty_rows
from tests.curate.row_maker import rows_of

ROWS = rows_of(
    {"messages": [("u", "一"), ("a", "two")]},
    {"kind": "text", "text": "three"},
    {"messages": []},
    {"kind": "preference", "prompt": [("u", "四")], "chosen": [("a", "5")], "rejected": [("a", "6")]},
    {"messages": [("u", "seven")]},
)


@given(st.lists(st.integers(0, 4), unique=True).map(sorted))
def test_some_rows_are_those_rows(places: list[int]) -> None:
    """As a frame, as a table, column by column and list by list."""
    expected, found = ROWS[places], ArrowRows.of(ROWS).at(np.array(places, np.int64))
    assert len(found) == len(places)
    assert found.frame().equals(expected)
    assert found.frame().schema == ROW_SCHEMA
    assert pl.DataFrame(pl.from_arrow(found.table())).equals(expected)
    for name in ROW_SCHEMA:
        assert found[name].equals(expected[name])
        assert found.holds(name) == (expected[name].null_count() < len(places))
    bounds, fields = found.lists("messages")
    bounds_expected, fields_expected = lists_of(expected["messages"])
    assert bounds.tolist() == bounds_expected.tolist()
    assert {name: column.to_pylist() for name, column in fields.items()} == {
        name: column.to_pylist() for name, column in fields_expected.items()
    }


def test_pieces_are_joined_in_order() -> None:
    """Pieces of which only some rows are meant, and empty ones."""
    first, second = ArrowRows.of(ROWS).at(np.array([0, 3])), ArrowRows.of(ROWS[3:])
    joined = ArrowRows.joined([first, ArrowRows.of(empty_rows()), second])
    assert joined.frame().equals(pl.concat([ROWS[[0, 3]], ROWS[3:]]))


def test_other_frames_are_kept_whole() -> None:
    """Columns a stage wrote, and frames without messages."""
    scored = ROWS.with_columns(score=pl.Series([1.0, None, 3.0, 4.0, 5.0]))
    assert ArrowRows.of(scored).frame().equals(scored)
    bare = scored.select("score", "id")
    assert ArrowRows.of(bare).frame().equals(bare)
    assert ArrowRows.joined([ArrowRows.of(bare), ArrowRows.of(bare)]).frame().height == 2 * bare.height


def test_a_column_that_is_not_there_is_an_error() -> None:
    """As in a frame."""
    with pytest.raises(KeyError):
        ArrowRows.of(ROWS)["nothing"]
