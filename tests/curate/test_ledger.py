"""The ledger: its lines, its counts, and the law that no row is lost."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.ledger import ACTIONS, LEDGER_SCHEMA, Counts, count, empty, lines

numbers = st.integers(0, 1000)


@given(numbers, numbers, numbers, numbers, numbers, st.integers(-3, 3))
def test_the_law(out: int, dropped: int, quarantined: int, expanded: int, born: int, lost: int) -> None:
    """Counts pass exactly when rows in and born equal rows out, dropped, quarantined and expanded."""
    rows_in = out + dropped + quarantined + expanded - born + lost
    counts = Counts(rows_in, out, dropped, quarantined, expanded=expanded, born=born, edited=5, noted=7)
    if lost:
        with pytest.raises(AssertionError, match=r"here: -?\d+ rows came in or were born, \d+ are accounted for"):
            counts.check("here")
    else:
        counts.check("here")


@given(st.lists(st.builds(Counts, *[numbers] * 8), max_size=4))
def test_counts_add_field_by_field(parts: list[Counts]) -> None:
    """The sum over parts is the sum of each field."""
    total = sum(parts, Counts())
    assert total.rows_in == sum(p.rows_in for p in parts)
    assert total.noted == sum(p.noted for p in parts)


def test_each_action_is_counted() -> None:
    """A part's counts come from its ledger, one field for each action."""
    ledger = empty().vstack(
        pl.DataFrame(
            {
                "row": range(6),
                "id": ["x"] * 6,
                "action": ACTIONS,
                "reason": ["r"] * 6,
                "other_id": [None] * 6,
                "score": [None] * 6,
            },
            schema=LEDGER_SCHEMA,
        )
    )
    assert count(9, 7, ledger) == Counts(9, 7, 1, 1, 1, 1, 1, 1)


def test_lines_name_rows_by_position_and_id() -> None:
    """Ids are looked up by position; what is not given is null."""
    made = lines(pl.Series([2, 0], dtype=pl.UInt32), pl.Series(["a", "b", "c"]), "drop", pl.Series(["r", "q"]))
    assert made.schema == LEDGER_SCHEMA
    assert made["id"].to_list() == ["c", "a"]
    assert made["other_id"].null_count() == 2
