"""Blocks read column by column hold what the reader of single records makes of them, or are left to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.sources.batch import Batch, RowMaker
from curate.sources.jsonl import piece_records
from curate.sources.lines import Block
from curate.sources.spec import Shape, SourceFile, SourceSpec, Unit

SPEC = SourceSpec.model_validate({"name": "服务", "path": "x.jsonl"})
MAKER = RowMaker(SPEC, Shape("messages", {"messages": "messages"}, "utf-8", ""))
UNIT = Unit(3, SourceFile("x.jsonl", "jsonl", "", 0, "utf-8"), 0, -1, 1)
LIMIT = 1 << 20

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": TEXT.map(lambda text: "问" + text)}
)
TURNS = st.lists(TURN, min_size=1, max_size=4)
INTEGER = st.integers(-(1 << 63), (1 << 63) - 1)
PLAIN = st.fixed_dictionaries({"messages": TURNS, "id": TEXT, "n": INTEGER, "ok": st.booleans()})
STYLE = st.fixed_dictionaries(
    {"ensure_ascii": st.booleans(), "separators": st.sampled_from([(",", ":"), (", ", ": ")])}
)
ODD = [
    b"",
    b" ",
    b"null",
    b"{}",
    b"[1]",
    b'{"messages":[]}',
    b'{"messages":null,"id":"a","n":1,"ok":true}',
    b'{"messages":[null],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":" "}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":null}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":5}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"ghost","content":"x"}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"x","weight":0}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1}',
    b'{"messages":[{"role":"user","content":"x"}],"id":null,"n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1.0,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":123456789012345678901234567890,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":"1","ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1,"ok":true,"more":1}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","id":"b","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id" : "a","id" : "b","n":1,"ok":true}',
    b'{"messages":[{"role":"user","role":"user","content":"x"}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1,"ok":true}{"messages":[]}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1,"ok":true',
    b'"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"\\ud800"}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"\\udc00"}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"\xff"}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"\xe4\xbd","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"a\x01b"}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"a\\qb"}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":-0,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":01,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":NaN,"ok":true}',
    b'{"messages":[{"role":"user","content":"x",}],"id":"a","n":1,"ok":true}',
]


def read_both(data: bytes) -> tuple[Batch | None, Batch]:
    """Returns the batch of a block read by column, and record by record."""
    block = Block(data, 1000, 7)
    return MAKER.plain_batch(3, block), MAKER.batch(piece_records(UNIT, block, LIMIT))


def assert_same(found: Batch, expected: Batch) -> None:
    """Every column and every place is the same."""
    assert found.rows.equals(expected.rows)
    assert found.rows.schema == expected.rows.schema
    assert found.origin.equals(expected.origin)
    assert found.origin.schema == expected.origin.schema
    assert (found.bad, found.blank) == (expected.bad, expected.blank) == ([], 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=6), STYLE, st.booleans())
def test_plain_chats_are_the_same_rows(records: list[dict[str, Any]], style: dict[str, Any], ended: bool) -> None:
    """Whatever is said in them, however it is escaped and spaced."""
    data = b"\n".join(json.dumps(record, **style).encode() for record in records) + b"\n" * ended
    found, expected = read_both(data)
    assert found is None or expected.rows.height == len(records)
    if found is not None:
        assert_same(found, expected)


@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_chats_are_read_by_column(ensure_ascii: bool, separators: tuple[str, str]) -> None:
    """Escapes, emoji and spaced JSON among them; the other fields are written as the record has them."""
    turns = [{"role": "user", "content": 'Line\n"two" \\ 三 🙂 \x07 a/b \u2028'}, {"role": "assistant", "content": ""}]
    records = [{"id": f"编号 {n}", "messages": turns, "n": -n, "ok": n % 2 == 0} for n in range(5)]
    data = b"\n".join(
        json.dumps(record, ensure_ascii=ensure_ascii, separators=separators).encode() for record in records
    )
    found, expected = read_both(data)
    assert found is not None
    assert_same(found, expected)
    assert found.rows["meta"].to_list() == expected.rows["meta"].to_list()


def test_chats_alone_have_no_other_fields() -> None:
    """Their meta is null."""
    found, expected = read_both(b'{"messages":[{"role":"user","content":"x"}]}\n' * 3)
    assert found is not None
    assert_same(found, expected)
    assert found.rows["meta"].null_count() == 3


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_anything_else_is_left_to_the_reader_of_records(odd: bytes, place: int) -> None:
    """Wherever in the block it stands; read by column only if that makes no difference."""
    lines = [b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1,"ok":true}'] * 2
    found, expected = read_both(b"\n".join([*lines[:place], odd, *lines[place:]]) + b"\n")
    assert expected.lines == 3
    if found is not None:
        assert_same(found, expected)


def test_objects_across_lines_are_not_put_together() -> None:
    """As many records as lines, but not one a line."""
    one = b'{"messages":[{"role":"user","content":"x"}]}'
    for data in (one + one + b"\n\n", one + b" " + one + b"\n" + one[:30] + b"\n" + one[30:]):
        found, _ = read_both(data)
        assert found is None


def test_mapped_labels_and_profiles_are_read_by_record() -> None:
    """They have checks of their own."""
    data = b'{"messages":[{"role":"user","content":"x"}],"task":"a"}\n'
    columns = {"messages": "messages", "ability": "task"}
    assert RowMaker(SPEC, Shape("messages", columns, "utf-8", "")).plain_batch(0, Block(data, 0, 1)) is None
    spec = SPEC.model_copy(update={"profile": ("task",)})
    assert (
        RowMaker(spec, Shape("messages", {"messages": "messages"}, "utf-8", "")).plain_batch(0, Block(data, 0, 1))
        is None
    )
