"""Rows: turns out and in again, lists of messages through flat frames, neighbours joined."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from curate.rows import (
    CHAT_FIELDS,
    ROW_SCHEMA,
    assemble,
    conform,
    content_bytes,
    empty_rows,
    flat_messages,
    merge_neighbours,
    row_hash,
    turns,
    with_turns,
)
from tests.curate.row_maker import rows_of

CONTENT = st.none() | st.text(max_size=6)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": CONTENT},
    optional={"tool_calls": st.just("[]"), "weight": st.sampled_from([0, 1]), "name": st.text(max_size=2)},
)
MESSAGES = st.lists(MESSAGE, max_size=5)
ROW = (
    st.builds(lambda m: {"messages": m}, MESSAGES)
    | st.builds(
        lambda p, c, r: {"kind": "preference", "prompt": p, "chosen": c, "rejected": r}, MESSAGES, MESSAGES, MESSAGES
    )
    | st.builds(lambda p, c: {"kind": "kto", "prompt": p, "completion": c, "label": True}, MESSAGES, MESSAGES)
    | st.builds(lambda t: {"kind": "text", "text": t}, CONTENT)
)
ROWS = st.lists(ROW, max_size=6)


@given(ROWS)
def test_turns_put_back_unchanged_are_the_same_rows(records: list[dict[str, Any]]) -> None:
    """with_turns is the inverse of turns."""
    rows = rows_of(*records)
    assert_frame_equal(with_turns(rows, turns(rows)), rows)


@given(ROWS, st.integers(0, 3), st.data())
def test_an_edited_turn_lands_where_it_was(records: list[dict[str, Any]], skip: int, data: st.DataObject) -> None:
    """Whatever turns are edited, those say the new text and nothing else differs, also in a slice of a frame."""
    rows = rows_of(*records)[skip:]
    flat = turns(rows)
    picked = data.draw(st.lists(st.booleans(), min_size=flat.height, max_size=flat.height))
    edited = flat.filter(pl.Series(picked, dtype=pl.Boolean)).with_columns(text=pl.col("text") + "!")
    expected = flat.with_columns(
        text=pl.when(pl.Series(picked, dtype=pl.Boolean)).then(pl.col("text") + "!").otherwise("text")
    )
    after = with_turns(rows, edited)
    assert_frame_equal(turns(after), expected)
    assert_frame_equal(after.drop(*CHAT_FIELDS, "text"), rows.drop(*CHAT_FIELDS, "text"))


@given(ROWS)
def test_turns_are_ordered_and_hold_text(records: list[dict[str, Any]]) -> None:
    """Turns come by row, then field, then turn; messages without content are left out."""
    flat = turns(rows_of(*records))
    places = [(r["row"], r["field"], r["turn"]) for r in flat.iter_rows(named=True)]
    assert places == sorted(places)
    held = sum(m["content"] is not None for r in records for f in CHAT_FIELDS for m in r.get(f) or [])
    assert flat.height == held + sum(r.get("text") is not None for r in records)


@given(st.lists(MESSAGES, max_size=6), st.integers(0, 3))
def test_assemble_is_the_inverse_of_flat_messages(chats: list[Any], skip: int) -> None:
    """Lists taken apart and put together are the same, empty ones too, also from a slice of a frame."""
    rows = rows_of(*({"messages": chat} for chat in chats))[skip:]
    assert assemble(flat_messages(rows), rows.height).to_list() == rows["messages"].to_list()


@given(st.lists(MESSAGES, max_size=5))
def test_merging_leaves_no_plain_neighbours(chats: list[Any]) -> None:
    """After merging no two neighbours of one role are plain; all text is there in order; turns count from 0."""
    flat = flat_messages(rows_of(*({"messages": chat} for chat in chats)))
    merged = merge_neighbours(flat)
    for _, of_row in merged.group_by("row", maintain_order=True):
        assert of_row["turn"].to_list() == list(range(of_row.height))
        said = list(of_row.select("role", "tool_calls").iter_rows())
        for (role, calls), (next_role, next_calls) in pairwise(said):
            assert role != next_role or role == "tool" or calls is not None or next_calls is not None
    texts = [
        "\n".join(f.filter(pl.col("row") == r)["content"].drop_nulls())
        for f in (flat, merged)
        for r in range(len(chats))
    ]
    assert texts[: len(chats)] == texts[len(chats) :]
    assert_frame_equal(merge_neighbours(merged), merged)


def test_merged_turns_are_trained_only_when_all_were() -> None:
    """The weight of joined turns is the least of them; nothing said is null."""
    chat = [
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "b", "weight": 0},
        {"role": "user", "content": None},
        {"role": "user", "content": None},
    ]
    merged = merge_neighbours(flat_messages(rows_of({"messages": chat})))
    assert merged.select("content", "weight").rows() == [("a\nb", 0), (None, None)]


def test_conform_orders_and_types_columns() -> None:
    """Missing columns are null, the row's come first, a stage's follow by name."""
    frame = pl.DataFrame({"z_score": [1.0], "id": ["x"], "a_score": [2]})
    assert conform(frame).columns == [*ROW_SCHEMA, "a_score", "z_score"]
    assert dict(zip(ROW_SCHEMA, conform(frame).dtypes, strict=False)) == ROW_SCHEMA
    assert turns(empty_rows()).is_empty()


def test_a_hash_keeps_its_parts_apart() -> None:
    """Where one part ends counts; text and its bytes are the same."""
    assert row_hash("ab", "c") != row_hash("a", "bc")
    assert row_hash("é") == row_hash("é".encode())
    assert len(row_hash()) == 32


def test_content_leaves_meta_data_out() -> None:
    """Two rows of equal training content are equal whatever else they carry."""
    one = rows_of({"messages": [("u", "q"), ("a", "r")], "meta": '{"x":1}', "tags": ["a"]}).row(0, named=True)
    two = rows_of({"messages": [("u", "q"), ("a", "r")], "source": "other"}).row(0, named=True)
    three = rows_of({"messages": [("u", "q"), ("a", "s")]}).row(0, named=True)
    assert content_bytes(one) == content_bytes(two) != content_bytes(three)
