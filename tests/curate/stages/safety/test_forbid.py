"""Behaviour of forbid: what counts as said, and the three things that can follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from curate.stages.safety.forbid import Forbid

Build = Callable[..., pl.DataFrame]
Said = Callable[[pl.Series], list[Any]]

HAND_OFF = [
    ("s", "不要转人工"),
    ("u", "你好"),
    ("a", "您好"),
    ("u", "我要投诉"),
    ("u", "快点"),
    ("a", "请讲"),
    ("a", "这边帮您转人工"),
    ("u", "好"),
    ("a", "再见"),
]


def test_drop_row(make_chats: Build) -> None:
    """A row with the term in a searched turn is dropped, others pass; system prompts are not searched."""
    rows = make_chats(HAND_OFF, [("s", "不要转人工"), ("u", "你好"), ("a", "您好")])
    edited = Forbid(terms=("转人工",)).edit(rows)
    assert edited.drops.to_dicts() == [{"row": 0, "reason": "forbidden", "action": "drop"}]
    assert edited.rows.is_empty()


def test_quarantine(make_chats: Build) -> None:
    """A quarantined row is a drop whose action says so."""
    edited = Forbid(terms=("转人工",), action="quarantine").edit(make_chats(HAND_OFF))
    assert edited.drops.to_dicts() == [{"row": 0, "reason": "forbidden", "action": "quarantine"}]


def test_cut_before_keeps_the_whole_exchanges_before(make_chats: Build, said: Said) -> None:
    """All of the exchange with the forbidden turn goes, and everything after it."""
    edited = Forbid(terms=("转人工",), action="cut_before").edit(make_chats([("u", "1"), ("a", "2")], HAND_OFF))
    assert edited.origin.to_list() == [1]
    assert said(edited.rows["messages"]) == [[("s", "不要转人工"), ("u", "你好"), ("a", "您好")]]
    assert edited.reasons.to_list() == ["forbidden_cut"]


def test_cut_before_a_forbidden_user_turn(make_chats: Build, said: Said) -> None:
    """A user who asks for it ends the dialogue before the question."""
    chat = [("u", "你好"), ("a", "您好"), ("u", "转人工"), ("a", "我可以帮您")]
    edited = Forbid(terms=("转人工",), action="cut_before").edit(make_chats(chat))
    assert said(edited.rows["messages"]) == [[("u", "你好"), ("a", "您好")]]


def test_cut_before_drops_what_has_no_exchange_left(make_chats: Build) -> None:
    """A greeting alone is no exchange; the drop has its own reason."""
    rows = make_chats([("a", "您好"), ("u", "转人工"), ("a", "好的")], [("s", "x"), ("u", "y"), ("a", "转人工")])
    edited = Forbid(terms=("转人工",), action="cut_before").edit(rows)
    assert edited.rows.is_empty()
    assert edited.drops["reason"].to_list() == ["no_exchange_left", "no_exchange_left"]


def test_cut_before_never_ends_in_an_open_tool_call(make_chats: Build, said: Said) -> None:
    """An exchange that ends in a call or a tool's result is not whole and goes too."""
    call = '[{"type":"function","function":{"name":"f","arguments":{}}}]'
    chat = [
        ("u", "你好"),
        {"role": "assistant", "tool_calls": call},
        ("t", "1"),
        ("a", "您好"),
        ("u", "查"),
        {"role": "assistant", "tool_calls": call},
        ("t", "2"),
        ("u", "算了，转人工"),
        ("a", "好的"),
    ]
    edited = Forbid(terms=("转人工",), action="cut_before").edit(make_chats(chat))
    assert [m for m in said(edited.rows["messages"])[0]] == [("u", "你好"), ("a", None), ("t", "1"), ("a", "您好")]
    assert edited.rows["messages"][0][1]["tool_calls"] == call


def test_widths_and_cases_are_the_same(make_chats: Build) -> None:
    """Terms find full-width and half-width characters and either case, regex characters are plain."""
    texts = ["加ＶＩＰ群", "加vip群", "Ａ＋＋", "a++", "aaa", "50％ OFF", "50%　off"]
    rows = make_chats(*([("u", text), ("a", "好")] for text in texts))
    found = Forbid(terms=("VIP", "A++", "50% off")).edit(rows).drops["row"].to_list()
    assert found == [0, 1, 2, 3, 5, 6]
    exact = Forbid(terms=("VIP", "A++"), ignore_case=False).edit(rows).drops["row"].to_list()
    assert exact == [0, 2]


def test_patterns_by_role(make_chats: Build) -> None:
    """A pattern is searched in the turns of the given roles only."""
    rows = make_chats([("u", "帮我转到人工"), ("a", "我来帮您")], [("u", "x"), ("a", "转给人工")])
    stage = Forbid(patterns=("转.{0,2}人工",), roles=("assistant",))
    assert stage.edit(rows).drops["row"].to_list() == [1]


def test_a_rejected_or_bad_answer_does_not_count(make_rows: Build) -> None:
    """What a model learns to avoid may hold the term; other kinds are dropped even when cutting."""
    pair = {"kind": "preference", "prompt": [("u", "你好")]}
    judged = {"kind": "kto", "prompt": [("u", "你好")], "completion": [("a", "转人工")]}
    rows = make_rows(
        {**pair, "chosen": [("a", "您好")], "rejected": [("a", "转人工")]},
        {**pair, "chosen": [("a", "转人工")], "rejected": [("a", "您好")]},
        {**judged, "label": False},
        {**judged, "label": True},
        {"kind": "text", "text": "请转人工"},
    )
    for action in ("drop_row", "cut_before"):
        edited = Forbid(terms=("转人工",), action=action).edit(rows)
        assert edited.drops["row"].to_list() == [1, 3, 4]
        assert set(edited.drops["reason"]) == {"forbidden"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"patterns": ("(?<!不)转人工",)}, "pattern '(?<!不)转人工': look-around"),
        ({"patterns": (r"(好)\1",)}, "back-references such as \\1 are not supported"),
        ({"patterns": ("(转人工",)}, "pattern '(转人工': unclosed group"),
        ({"patterns": ("转?",)}, "pattern '转?' also matches nothing at all"),
        ({"patterns": ("",)}, "an empty pattern matches every turn"),
        ({"terms": (" ",)}, "an empty term is in every turn"),
        ({}, "nothing is forbidden: give `terms` or `patterns`"),
    ],
)
def test_mistakes_are_named_before_any_row_is_read(parameters: dict[str, Any], message: str) -> None:
    """A bad pattern or an empty rule is refused when the stage is built."""
    with pytest.raises(ValidationError, match=re.escape(message)):
        Forbid(**parameters)


def test_takes_an_empty_frame(make_chats: Build) -> None:
    """No rows in, nothing proposed."""
    for action in ("drop_row", "cut_before", "quarantine"):
        edited = Forbid(terms=("x",), action=action).edit(make_chats())
        assert (edited.rows.height, edited.drops.height) == (0, 0)
