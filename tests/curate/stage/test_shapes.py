"""Shapes: which rows a stage sees, and what happens to proposals that break the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import polars as pl
import pytest
from pydantic import ValidationError

from curate.errors import StageError
from curate.rows import row_hash
from curate.stage import DROPS, Edit, Edited, Filter, Only, RowLocal, Score
from curate.steps.propose import propose
from tests.curate.row_maker import rows_of

ROWS = rows_of(
    {"messages": [("u", "a"), ("a", "b")], "source": "x", "domain": True, "language": "zh"},
    {"messages": [("u", "c"), ("a", "d")], "source": "y", "ability": "math"},
    {"kind": "text", "text": "t", "source": "y", "language": "en"},
)
Propose = Callable[[pl.DataFrame], Any]


class Measure(Score):
    """A score that returns what a test gives it."""

    name: ClassVar[str] = "measure"
    writes: ClassVar[tuple[str, ...]] = ("size",)
    returns: Propose

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the test's frame."""
        return self.returns(rows)


class Judge(Filter):
    """A filter that returns what a test gives it."""

    name: ClassVar[str] = "judge"
    reasons: ClassVar[tuple[str, ...]] = ("bad",)
    returns: Propose

    def judge(self, rows: pl.DataFrame) -> pl.Series:
        """Returns the test's verdicts."""
        return self.returns(rows)


class Needy(Judge):
    """A filter that needs a score."""

    name: ClassVar[str] = "needy"
    needs: ClassVar[tuple[str, ...]] = ("size",)


class Change(Edit):
    """An edit that returns what a test gives it."""

    name: ClassVar[str] = "change"
    reasons: ClassVar[tuple[str, ...]] = ("changed", "gone")
    returns: Propose

    def edit(self, rows: pl.DataFrame) -> Edited:
        """Returns the test's proposal."""
        return self.returns(rows)


def origins(*at: int) -> pl.Series:
    """Returns positions."""
    return pl.Series(at, dtype=pl.UInt32)


def edited(rows: pl.DataFrame, *at: int, reason: str = "changed") -> Edited:
    """Returns an edit of the rows at these positions that changes nothing."""
    return Edited.of(rows[list(at)], origins(*at), reason)


def drops(*at: int, reason: str = "gone", action: str = "drop") -> pl.DataFrame:
    """Returns drops of the rows at these positions."""
    return pl.DataFrame({"row": at, "reason": [reason] * len(at), "action": [action] * len(at)}, schema=DROPS)


CASES: dict[str, tuple[RowLocal, str]] = {
    "needs a column": (Needy(returns=lambda r: None), "stage 'needy' needs the column 'size', which no earlier stage"),
    "score height": (
        Measure(returns=lambda r: pl.DataFrame({"size": [1]})),
        "stage 'measure' must return 3 values for",
    ),
    "score name": (
        Measure(returns=lambda r: pl.DataFrame({"len": [1] * 3})),
        "'measure' must return 3 values for .*size",
    ),
    "verdict height": (Judge(returns=lambda r: pl.Series(["bad"])), "stage 'judge' judged 1 of 3 rows"),
    "verdict type": (Judge(returns=lambda r: pl.Series([True] * 3)), "stage 'judge' judged with Boolean values"),
    "verdict reason": (
        Judge(returns=lambda r: pl.Series(["bad", "odd", None])),
        "stage 'judge' gave the reason 'odd', which it does not declare",
    ),
    "edit reason": (Change(returns=lambda r: edited(r, 0, reason="odd")), "stage 'change' gave the reason 'odd'"),
    "drop reason": (
        Change(returns=lambda r: replace(edited(r), drops=drops(0, reason="odd"))),
        "stage 'change' gave the reason 'odd'",
    ),
    "edit columns": (
        Change(returns=lambda r: replace(edited(r, 0), rows=r[:1].drop("tags"))),
        "stage 'change' returned other columns",
    ),
    "edit numbers": (
        Change(returns=lambda r: replace(edited(r, 0), origin=origins(0, 1))),
        "stage 'change' returned rows, origins and reasons of different numbers",
    ),
    "edit out of range": (
        Change(returns=lambda r: replace(edited(r), drops=drops(3))),
        "stage 'change' named a row that it was not given",
    ),
    "edit order": (
        Change(returns=lambda r: edited(r, 1, 0)),
        "stage 'change' returned rows out of the order of their origins",
    ),
    "drop twice": (
        Change(returns=lambda r: replace(edited(r), drops=drops(1, 1))),
        "stage 'change' dropped a row twice",
    ),
    "drop and edit": (
        Change(returns=lambda r: replace(edited(r, 1), drops=drops(1))),
        "stage 'change' both dropped and edited a row",
    ),
    "action": (
        Change(returns=lambda r: replace(edited(r), drops=drops(1, action="hide"))),
        "stage 'change' dropped with another action",
    ),
    "id": (
        Change(returns=lambda r: replace(edited(r, 0), rows=r[:1].with_columns(id=pl.lit("me")))),
        "stage 'change' changed an id",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_contract_names_the_stage(case: str) -> None:
    """Whatever a stage gets wrong, the error says which stage and what, before anything is written."""
    stage, told = CASES[case]
    with pytest.raises(StageError, match=told):
        propose(stage, ROWS)


def test_children_get_ids_of_their_own() -> None:
    """An origin named more than once is expanded: ids are hash(parent, stage, ordinal), the group stays, all is told."""
    delta, after, counts = propose(Change(returns=lambda r: edited(r, 0, 0, 0, 1)), ROWS)
    parent = ROWS["id"][0]
    children = [row_hash(parent, "change", str(n)) for n in range(3)]
    assert after["id"].to_list() == [*children, *ROWS["id"][1:]]
    assert after["group"].to_list() == [parent] * 3 + ROWS["group"][1:].to_list()
    lines = delta.ledger.select("id", "action", "other_id").rows()
    assert lines == [
        (ROWS["id"][1], "edit", None),
        (parent, "expand", None),
        *((child, "born", parent) for child in children),
    ]
    assert (counts.rows_in, counts.born, counts.expanded, counts.rows_out) == (3, 3, 1, 5)


def test_dropped_and_quarantined_rows_go() -> None:
    """Both leave, each told by its action."""
    stage = Change(returns=lambda r: replace(edited(r), drops=pl.concat([drops(0), drops(2, action="quarantine")])))
    delta, after, counts = propose(stage, ROWS)
    assert after["id"].to_list() == [ROWS["id"][1]]
    assert delta.ledger["action"].to_list() == ["drop", "quarantine"]
    assert (counts.dropped, counts.quarantined) == (1, 1)


def test_a_score_of_some_rows_is_null_for_the_others() -> None:
    """With `only` the others get no value."""
    stage = Measure(returns=lambda r: pl.DataFrame({"size": range(r.height)}), only=Only(source=("y",)))
    assert propose(stage, ROWS)[1]["size"].to_list() == [None, 0, 1]


@pytest.mark.parametrize(
    ("only", "seen"),
    [
        (Only(), [True, True, True]),
        (Only(source=("x",)), [True, False, False]),
        (Only(ability=("math",)), [False, True, False]),
        (Only(domain=True), [True, False, False]),
        (Only(domain=False), [False, True, True]),
        (Only(language=("en", "zh")), [True, False, True]),
        (Only(source=("y",), language=("en",)), [False, False, True]),
    ],
)
def test_only_chooses_rows(only: Only, seen: list[bool]) -> None:
    """Each condition limits, several limit together, and an unknown language is no language."""
    assert only.choose(ROWS).to_list() == seen
    assert only.everything == (only == Only())


def test_a_detected_language_counts_where_none_was_given() -> None:
    """The row's own language goes before the one the language stage found."""
    rows = ROWS.with_columns(language_detected=pl.lit("zh"))
    assert Only(language=("zh",)).choose(rows).to_list() == [True, True, False]


def test_stages_are_frozen_and_strict() -> None:
    """A stage's parameters can't be changed, and unknown ones are refused."""
    stage = Judge(returns=lambda r: None)
    with pytest.raises(ValidationError):
        stage.only = Only(domain=True)  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        Judge(returns=lambda r: None, oops=1)  # type: ignore[call-arg]
