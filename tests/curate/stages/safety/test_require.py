"""Behaviour of require: what must be said, by whom, in which kinds of rows."""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl
import pytest
from pydantic import ValidationError

from curate.stages.safety.require import Require

Build = Callable[..., pl.DataFrame]

MISSING = "required_missing"


def test_all_must_be_there_by_default(make_chats: Build) -> None:
    """Every term and pattern must occur somewhere in the row, in any searched turn."""
    rows = make_chats(
        [("u", "您好"), ("a", "工号1024为您服务")],
        [("u", "您好"), ("a", "为您服务")],
        [("s", "工号1024"), ("u", "您好"), ("a", "好")],
    )
    assert Require(terms=("您好",), patterns=(r"工号\d+",)).judge(rows).to_list() == [None, MISSING, MISSING]
    assert Require(terms=("您好", "服务"), match="any").judge(rows).to_list() == [None, None, None]


def test_by_role(make_chats: Build) -> None:
    """Only turns of the given roles count."""
    rows = make_chats([("u", "谢谢"), ("a", "好")], [("u", "好"), ("a", "谢谢")])
    assert Require(terms=("谢谢",), roles=("assistant",)).judge(rows).to_list() == [MISSING, None]


def test_widths_and_cases_are_the_same(make_chats: Build) -> None:
    """A term is found in full-width characters and either case, unless case matters."""
    rows = make_chats([("u", "ＡＢＣ"), ("a", "好")], [("u", "abc"), ("a", "好")])
    assert Require(terms=("ABC",)).judge(rows).to_list() == [None, None]
    assert Require(terms=("ABC",), ignore_case=False).judge(rows).to_list() == [None, MISSING]


def test_a_rejected_answer_does_not_count(make_rows: Build) -> None:
    """The term must be in what a model learns to say; documents are searched too."""
    pair = {"kind": "preference", "prompt": [("u", "在吗")]}
    rows = make_rows(
        {**pair, "chosen": [("a", "在")], "rejected": [("a", "谢谢")]},
        {**pair, "chosen": [("a", "谢谢")], "rejected": [("a", "在")]},
        {"kind": "text", "text": "谢谢"},
    )
    assert Require(terms=("谢谢",)).judge(rows).to_list() == [MISSING, None, None]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"patterns": ("(?=好)",)}, "look-around"),
        ({"terms": ("",)}, "an empty term is in every turn"),
        ({}, "nothing is required: give `terms` or `patterns`"),
    ],
)
def test_mistakes_are_named_before_any_row_is_read(parameters: dict[str, tuple[str, ...]], message: str) -> None:
    """A bad pattern or an empty rule is refused when the stage is built."""
    with pytest.raises(ValidationError, match=re.escape(message)):
        Require.model_validate(parameters)


def test_takes_an_empty_frame(make_chats: Build) -> None:
    """No rows in, no verdicts out."""
    verdicts = Require(terms=("x",)).judge(make_chats())
    assert verdicts.len() == 0
    assert verdicts.dtype == pl.String
