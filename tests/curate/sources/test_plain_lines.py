"""Blocks read column by column hold what the reader of single records makes of them, or are left to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.arrow_rows import ArrowRows
from curate.sources import reading
from curate.sources.batch import Batch, RowMaker
from curate.sources.jsonl import piece_records
from curate.sources.lines import Block
from curate.sources.spec import Shape, SourceFile, SourceSpec, Unit

SPEC = SourceSpec.model_validate({"name": "服务", "path": "x.jsonl"})
MAKER_SHAPE = Shape("messages", {"messages": "messages"}, "utf-8", "")
MAKER = RowMaker(SPEC, MAKER_SHAPE)
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
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1,"ok":true,}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1,"ok":true} x',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1,"ok":truer}',
    b'{"messages":[{"role":"user","content":"x"}],"id":"a","n":1,"\\u0069d":"b"}',
    b'{"messages":[{"role":"user","content":"x"}],"messages":[{"role":"user","content":"y"}]}',
    b'{"messages":[{"role":"user","content":"\\ud83d\\u0041"}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"\\u12"}],"id":"a","n":1,"ok":true}',
    b'{"messages":[{"role":"user","content":"x"}],' + b",".join(b'"k%d":1' % n for n in range(40)) + b"}",
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


@pytest.mark.parametrize(
    "blank", ["", " ", "\t\n", "\x1f", "\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u202f", "\u205f", "\u3000"]
)
def test_a_blank_first_message_is_for_the_reader_of_records(blank: str) -> None:
    """Whatever kind of blank."""
    assert not blank.strip()
    found, _ = read_both(json.dumps({"messages": [{"role": "user", "content": blank * 2}]}).encode())
    assert found is None


@pytest.mark.parametrize("text", ["é", "Я", "ก", "々", "、", "😀", "\xa0x", "\u3000问", "\u200b?"])
def test_a_first_message_in_any_script_is_read_by_column(text: str) -> None:
    """One character other than blanks is enough."""
    found, expected = read_both(
        json.dumps({"messages": [{"role": "user", "content": text}]}, ensure_ascii=False).encode()
    )
    assert found is not None
    assert_same(found, expected)


def test_fields_may_differ_from_line_to_line() -> None:
    """Each line's other fields are its own, in its order; nulls are none."""
    turns = '"messages":[{"content":"x","role":"user"}]'
    lines = [f'{{"a":1,"b":"2",{turns}}}', f'{{"b":"2",{turns},"a":1}}', f'{{{turns},"c":null}}', f'{{{turns},"a":-7}}']
    found, expected = read_both("\n".join(lines).encode())
    assert found is not None
    assert_same(found, expected)
    assert found.rows["meta"].to_list() == ['{"a":1,"b":"2"}', '{"b":"2","a":1}', None, '{"a":-7}']


def test_large_blocks_are_read_by_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file gives the same rows whether its blocks are large enough or not."""
    path = tmp_path / "x.jsonl"
    record = {"messages": [{"role": "user", "content": "问" * 400}], "n": 1}
    path.write_text("".join(json.dumps({**record, "n": n}, ensure_ascii=False) + "\n" for n in range(1500)))
    unit = Unit(0, SourceFile(str(path), "jsonl", "", path.stat().st_size, "utf-8"), 0, path.stat().st_size, 1)
    shape = Shape("messages", {"messages": "messages"}, "utf-8", "")
    assert path.stat().st_size > reading.LEAST_COMPILED
    (large,) = reading.read(SPEC, shape, unit)
    monkeypatch.setattr(reading, "LEAST_COMPILED", 1 << 30)
    (small,) = reading.read(SPEC, shape, unit)
    assert_same(large, small)
    assert large.rows.height == 1500


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


@pytest.mark.parametrize("odd", [None, b"{broken", b'{"messages":[{"role":"user","content":"x"}],"more":[1]}'])
def test_what_is_odd_concerns_its_piece_only(tmp_path: Path, odd: bytes | None) -> None:
    """A unit is one batch, or a few when something in it is odd; the rows and their places are the same."""
    line = b'{"messages":[{"role":"user","content":"%s %d"}]}'
    lines = [line % (b"question " * 100, number) for number in range(12_000)]
    if odd is not None:
        lines[9_000] = odd
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    file = SourceFile(str(path), "jsonl", "", path.stat().st_size, "utf-8")
    found = list(reading.read(SPEC, MAKER_SHAPE, Unit(0, file, 0, file.size, 1)))
    assert len(found) == (1 if odd is None else 2)
    expected = MAKER.batch(piece_records(UNIT, Block(path.read_bytes(), 0, 1), LIMIT))
    joined = ArrowRows.joined([batch.held for batch in found]).frame()
    assert joined.equals(expected.rows)
    assert pl.concat([batch.origin for batch in found]).drop("file").equals(expected.origin.drop("file"))
    assert [bad.line for batch in found for bad in batch.bad] == [bad.line for bad in expected.bad]
