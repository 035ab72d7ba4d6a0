"""Turn edits: text replaced in every kind of row, turns removed without breaking a conversation."""

from __future__ import annotations

from typing import Any, ClassVar

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from curate.stage import TurnEdit
from curate.stage.masking import Mask
from curate.stages.clean.strip_fillers import StripFillers
from curate.steps.propose import propose
from tests.curate.row_maker import rows_of

CALL = '[{"type":"function","function":{"name":"balance","arguments":{}}}]'


class Shout(TurnEdit):
    """Upper-cases turns, removes those that say `go`, and notes those that say `see`."""

    name: ClassVar[str] = "shout"
    masks: ClassVar[tuple[Mask, ...]] = ("code",)
    reason: ClassVar[str] = "shouted"
    reasons: ClassVar[tuple[str, ...]] = ("shouted", "no_exchange_left", "seen")

    def edit_turns(self, turns: pl.DataFrame) -> pl.DataFrame:
        """Returns the turns in upper case."""
        see = pl.when(pl.col("text") == "SEE").then(pl.lit("seen"))
        return turns.with_columns(text=pl.col("text").str.to_uppercase(), remove=pl.col("text") == "go", note=see)


class Blind(Shout):
    """Loses what is hidden from it."""

    name: ClassVar[str] = "blind"

    def edit_turns(self, turns: pl.DataFrame) -> pl.DataFrame:
        """Returns empty turns."""
        return turns.with_columns(text=pl.lit(""))


def said(rows: pl.DataFrame, field: str = "messages") -> list[Any]:
    """Returns (role, content) of each message of each row."""
    return [None if m is None else [(x["role"], x["content"]) for x in m] for m in rows[field].to_list()]


def test_every_kind_of_row_is_edited() -> None:
    """Chats, pairs, judged completions and documents are edited through one method; other fields stay."""
    rows = rows_of(
        {"messages": [("u", "hi"), ("a", "yo")], "tags": ["t"]},
        {"kind": "preference", "prompt": [("u", "p")], "chosen": [("a", "c")], "rejected": [("a", "r")]},
        {"kind": "kto", "prompt": [("u", "P")], "completion": [("a", "done")], "label": True},
        {"kind": "text", "text": "read `me`"},
        {"messages": [("u", "DONE"), ("a", "ALREADY")]},
    )
    edited = Shout().edit(rows)
    assert edited.origin.to_list() == [0, 1, 2, 3]
    assert said(edited.rows)[0] == [("user", "HI"), ("assistant", "YO")]
    assert said(edited.rows, "chosen")[1] == [("assistant", "C")]
    assert said(edited.rows, "prompt")[2] == [("user", "P")]
    assert edited.rows["text"][3] == "READ `me`"
    content = ["messages", "prompt", "chosen", "rejected", "completion", "text"]
    assert_frame_equal(edited.rows.drop(content), rows[:4].drop(content))


def test_removal_joins_neighbours_and_drops_rows_without_an_exchange() -> None:
    """A removed turn's neighbours of one role become one; a chat left without question or answer is dropped."""
    rows = rows_of(
        {"messages": [("u", "A"), ("a", "B"), ("u", "go"), ("a", "C")]},
        {"messages": [("u", "go"), ("a", "B")]},
        {"messages": [("u", "A"), ("a", "go")]},
        {"messages": [("u", "A"), ("a", "B")]},
    )
    _, after, counts = propose(Shout(), rows)
    assert said(after) == [[("user", "A"), ("assistant", "B\nC")], [("user", "A"), ("assistant", "B")]]
    assert (counts.edited, counts.dropped) == (1, 2)
    edited = Shout().edit(rows)
    assert edited.drops.to_dicts() == [{"row": row, "reason": "no_exchange_left", "action": "drop"} for row in (1, 2)]


def test_tool_calls_and_results_are_never_removed() -> None:
    """A turn that calls a tool, and a tool's result, stay whatever they say; text around them may go."""
    turns = [
        ("u", "Q"),
        {"role": "assistant", "content": "go", "tool_calls": CALL},
        {"role": "tool", "content": "go", "tool_call_id": "1"},
        ("a", "A"),
        ("u", "go"),
    ]
    after = Shout().edit(rows_of({"messages": turns})).rows
    assert [m["tool_calls"] for m in after["messages"][0]] == [None, CALL, None, None]
    assert [m["content"] for m in after["messages"][0]] == ["Q", "GO", "GO", "A"]


def test_fillers_beside_a_tool_call_stay() -> None:
    """strip_fillers with filler_only: drop leaves a call whose text is only a filler where it is."""
    call = {"role": "assistant", "content": "嗯。", "tool_calls": CALL}
    result = {"role": "tool", "content": "25", "tool_call_id": "1"}
    rows = rows_of(
        {"messages": [("u", "余额多少？"), call, result, ("a", "25元。"), ("u", "嗯嗯。"), ("a", "还有别的吗？")]}
    )
    _, after, _ = propose(StripFillers(filler_only="drop"), rows)
    assert [m["role"] for m in after["messages"][0]] == ["user", "assistant", "tool", "assistant"]
    assert after["messages"][0][1]["tool_calls"] == CALL
    assert after["messages"][0][3]["content"] == "25元。\n还有别的吗？"


def test_only_chats_lose_turns() -> None:
    """A turn of a pair that would be removed stays, and the row is not said to be edited."""
    row = {"kind": "preference", "prompt": [("u", "GO")], "chosen": [("a", "嗯。")], "rejected": [("a", "X")]}
    edited = StripFillers(filler_only="drop").edit(rows_of(row))
    assert edited.rows.is_empty()
    assert edited.drops.is_empty()


def test_roles_limit_what_is_seen() -> None:
    """Turns of other roles are untouched."""
    rows = rows_of({"messages": [("s", "sys"), ("u", "hi"), ("a", "yo")]}, {"kind": "text", "text": "doc"})
    edited = Shout(roles=("user",)).edit(rows)
    assert edited.origin.to_list() == [0]
    assert said(edited.rows) == [[("system", "sys"), ("user", "HI"), ("assistant", "yo")]]


def test_notes_are_told_without_an_edit() -> None:
    """A noted row is reported and is what it was."""
    edited = Shout().edit(rows_of({"messages": [("u", "SEE"), ("a", "SEE")]}))
    assert edited.rows.is_empty()
    assert edited.notes.to_dicts() == [{"row": 0, "reason": "seen"}]


def test_a_lost_span_is_refused() -> None:
    """An edit that loses protected code raises instead of writing it away."""
    with pytest.raises(ValueError, match="lost or added a protected span"):
        Blind().edit(rows_of({"messages": [("u", "run `x`"), ("a", "ok")]}))
