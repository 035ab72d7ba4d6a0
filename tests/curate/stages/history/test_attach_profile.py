"""Profiles in system messages, the share of rows left without, and templates that are refused."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from curate.rows import empty_rows
from curate.stages.history.attach_profile import AttachProfile

TEMPLATE = "客户：{gender}，{age}岁，{region}"
CHAT = [("u", "a"), ("a", "b")]
KNOWN = '{"gender":"女","age":30,"region":"上海"}'


def test_makes_or_extends_the_system_message(make_rows: Any, said: Any) -> None:
    """The text is a new first message, or follows what the system message says."""
    rows = make_rows(
        {"messages": CHAT, "profile": KNOWN},
        {"messages": [("s", "你是客服"), *CHAT], "profile": KNOWN},
        {"messages": [("s", " "), *CHAT], "profile": KNOWN},
        {"kind": "preference", "prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": [("a", "c")], "profile": KNOWN},
    )
    edited = AttachProfile(template=TEMPLATE).edit(rows)
    text = "客户：女，30岁，上海"
    chats = [[("s", text), *CHAT], [("s", f"你是客服\n{text}"), *CHAT], [("s", text), *CHAT], None]
    assert said(edited.rows["messages"]) == chats
    assert said(edited.rows["prompt"])[3] == [("s", text), ("u", "a")]
    assert edited.reasons.unique().to_list() == ["profile_attached"]


def test_meta_fills_what_the_profile_lacks(make_rows: Any, said: Any) -> None:
    """A key is looked up in the profile first, then in the meta data."""
    rows = make_rows({"messages": CHAT, "profile": '{"a":"1","b":" "}', "meta": '{"a":"x","b":"2","年龄":3}'})
    edited = AttachProfile(template="{a}-{b}-{年龄} {{}}").edit(rows)
    assert said(edited.rows["messages"])[0][0] == ("s", "1-2-3 {}")


def test_missing_values(make_rows: Any, said: Any) -> None:
    """A row that lacks a value is noted, or says that it is not known."""
    rows = make_rows({"messages": CHAT, "profile": '{"gender":"女"}'}, {"messages": CHAT})
    skipped = AttachProfile(template=TEMPLATE).edit(rows)
    assert skipped.rows.is_empty()
    assert skipped.notes.rows() == [(0, "profile_missing"), (1, "profile_missing")]
    told = AttachProfile(template=TEMPLATE, missing="text").edit(rows)
    assert said(told.rows["messages"])[0][0] == ("s", "客户：女，未知岁，未知")


def test_drop_rate_depends_on_id_and_seed_only(make_rows: Any) -> None:
    """The same rows are left out wherever they stand; another seed leaves out others."""
    rows = make_rows(*[{"messages": CHAT, "profile": KNOWN}] * 2000)
    stage = AttachProfile(template=TEMPLATE, drop_rate=0.3, seed=7)
    kept = stage.edit(rows).rows["id"]
    assert 0.65 < len(kept) / 2000 < 0.75
    halves = pl.concat([stage.edit(rows[1000:]).rows["id"], stage.edit(rows[:1000]).rows["id"]])
    assert sorted(kept) == sorted(halves)
    assert set(stage.model_copy(update={"seed": 8}).edit(rows).rows["id"]) != set(kept)
    assert stage.edit(rows).notes["reason"].unique().to_list() == ["profile_withheld"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{age!r}", r"holds \{age!r\}; only \{name\} fields are known"),
        ("{age:>3}", r"holds \{age:>3\}"),
        ("{}", r"holds \{\}"),
        ("{0}", r"holds \{0\}"),
        ("{a.b}", r"holds \{a\.b\}"),
        ("{a", r"can't be read \(expected '\}' before end of string\)"),
        ("客户", "names no field; write for example"),
    ],
)
def test_refuses_other_syntax(template: str, message: str) -> None:
    """A template that is more than text and names is refused when the recipe is read."""
    with pytest.raises(ValidationError, match=message):
        AttachProfile(template=template)


def test_no_rows() -> None:
    """No rows give no proposals."""
    assert AttachProfile(template=TEMPLATE, drop_rate=0.5).edit(empty_rows()).rows.is_empty()
