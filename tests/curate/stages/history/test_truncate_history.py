"""Histories cut to fit: the limit holds exactly, nothing is parted, every answer is trained once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.chat import message_lengths, rendered_lengths
from curate.errors import StageError
from curate.rows import empty_rows, flat_messages
from curate.stages.history.cutting import with_exchanges
from curate.stages.history.truncate_history import TruncateHistory
from curate.tokens import load_tokenizer

TOKENIZER = "data_samples/tokenizer"
CALL = {"role": "assistant", "tool_calls": '[{"type":"function","function":{"name":"f","arguments":{"q":"订单"}}}]'}
LONG = [
    ("s", "你是客服。"),
    ("u", "第一个问题"),
    ("a", "第一个回答"),
    ("u", "第二个问题"),
    CALL,
    ("t", "结果"),
    ("a", "第二个回答"),
    ("u", "第三个问题"),
    ("a", "第三个回答"),
]


def stage(**parameters: Any) -> TruncateHistory:
    """Returns the stage with the sample tokenizer."""
    return TruncateHistory.model_validate({"tokenizer": TOKENIZER, **parameters})


def source_tokens(rows: pl.DataFrame) -> list[int]:
    """Returns the exact tokens of each row before its last message."""
    tokenizer = load_tokenizer(TOKENIZER)
    sizes = message_lengths(rows, tokenizer).unique("row", keep="last", maintain_order=True)["n_tokens"].to_numpy()
    return list(rendered_lengths(rows, tokenizer) - sizes)


def test_every_limit_keeps_the_newest_whole_exchanges(make_chats: Any, said: Any) -> None:
    """At each limit the result fits, is the longest that does, and begins at a user turn after the system message."""
    rows = make_chats(LONG)
    seen = set()
    for limit in range(10, source_tokens(rows)[0] + 2):
        edited = stage(max_source=limit).edit(rows)
        if edited.drops.height:
            assert edited.drops["reason"].to_list() == ["last_turn_too_long"]
            continue
        after = edited.rows if edited.rows.height else rows
        assert source_tokens(after)[0] <= limit
        seen.add("".join(role for role, _ in said(after["messages"])[0]))
    assert seen == {"suauataua", "suataua", "sua"}


def test_the_answer_is_never_cut(make_chats: Any) -> None:
    """A row whose answer is too long is dropped, not shortened."""
    edited = stage(max_source=100, max_target=20).edit(make_chats([("u", "a"), ("a", "b " * 50)], LONG[:3]))
    assert edited.drops.rows() == [(0, "target_too_long", "drop")]
    assert edited.rows.is_empty()


def test_trailing_turns_go_first(make_chats: Any, said: Any) -> None:
    """What comes after the last answer is cut, and noted when the history is cut too."""
    rows = make_chats([*LONG[:3], ("u", "谢谢")], [*LONG, ("u", "谢谢")])
    edited = stage(max_source=40).edit(rows)
    assert edited.reasons.to_list() == ["trailing_turns", "history_truncated"]
    assert edited.notes.rows() == [(1, "trailing_turns")]
    assert [chat[-1] for chat in said(edited.rows["messages"])] == [("a", "第一个回答"), ("a", "第三个回答")]


def test_an_opening_of_the_agent_stays_until_something_is_cut(make_chats: Any, said: Any) -> None:
    """The agent's first words are the oldest exchange."""
    rows = make_chats([("a", "您好，请讲。"), *LONG[1:3], *LONG[7:]])
    assert stage(max_source=200).edit(rows).rows.is_empty()
    cut = stage(max_source=source_tokens(rows)[0] - 1).edit(rows)
    assert said(cut.rows["messages"])[0] == [*LONG[1:3], *LONG[7:]]


def test_expand_trains_every_answer_once(make_chats: Any) -> None:
    """Each answer is the last message of one child; the earlier ones have weight 0; all share the group."""
    rows = make_chats([("u", "x"), ("a", "y")], LONG)
    edited = stage(max_source=60, expand="every").edit(rows)
    assert edited.origin.to_list() == [1, 1, 1, 1]
    assert edited.reasons.unique().to_list() == ["history_expanded"]
    assert edited.rows["group"].unique().to_list() == [rows["group"][1]]
    flat = flat_messages(edited.rows).filter(pl.col("role") == "assistant")
    trained = flat.filter(pl.col("weight").is_null())
    assert trained["content"].to_list() == ["第一个回答", None, "第二个回答", "第三个回答"]
    assert max(source_tokens(edited.rows)) <= 60


def test_expand_notes_answers_left_out(make_chats: Any) -> None:
    """An answer too long is noted while another is kept, and drops the row when none is."""
    rows = make_chats([("u", "a"), ("a", "b " * 60), ("u", "c"), ("a", "d")], [("u", "a"), ("a", "b " * 60)])
    edited = stage(max_source=200, max_target=30, expand="every").edit(rows)
    assert edited.origin.to_list() == [0]
    assert edited.notes.rows() == [(0, "target_too_long")]
    assert edited.drops.rows() == [(1, "target_too_long", "drop")]


def test_untrained_answers_get_no_child(make_chats: Any) -> None:
    """A turn of weight 0 is context only."""
    rows = make_chats([{"role": "assistant", "content": "hi", "weight": 0}, ("u", "a"), ("a", "b")])
    assert stage(max_source=200, expand="every").edit(rows).rows.is_empty()


def test_rows_without_an_answer_pass(make_chats: Any) -> None:
    """Rows with nothing to cut for are left to validate_chat."""
    edited = stage(max_source=1).edit(make_chats([("u", "a" * 99)], []))
    assert (edited.rows.height, edited.drops.height) == (0, 0)
    assert stage(max_source=1).edit(empty_rows()).rows.is_empty()


def test_a_row_the_template_refuses_is_noted(make_chats: Any, tmp_path: Path) -> None:
    """A refused row stays as it is for the tokenizer to report."""
    folder = tmp_path / "strict"
    shutil.copytree(TOKENIZER, folder)
    template = (folder / "chat_template.jinja").read_text()
    strict = "{% if messages[0]['role'] == 'assistant' %}{{ raise_exception('user first') }}{% endif %}"
    (folder / "chat_template.jinja").write_text(strict + template)
    edited = stage(max_source=5, tokenizer=str(folder)).edit(make_chats([("a", "x"), ("u", "y"), ("a", "z")]))
    assert edited.notes.rows() == [(0, "template_refused")]
    assert (edited.rows.height, edited.drops.height) == (0, 0)


def test_needs_a_tokenizer(make_chats: Any) -> None:
    """Without a tokenizer the stage says which setting is missing."""
    assert TruncateHistory(max_source=10).needs_tokenizer
    with pytest.raises(StageError, match="has no tokenizer: set `tokenizer:`"):
        TruncateHistory(max_source=10).edit(make_chats(LONG))


turn = st.sampled_from(["嗯", "我的宽带坏了，怎么办？", "ok thanks", "a much longer sentence, with some 12345 numbers"])
kinds = st.sampled_from(["user", "assistant", "system", "user", "assistant"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.tuples(kinds, turn), max_size=9), min_size=1, max_size=4), st.integers(15, 90))
def test_what_stays_fits_and_is_a_suffix(make_chats: Any, said: Any, chats: Any, limit: int) -> None:
    """Any conversation, sound or not: the source fits the limit, and what is left is its system and a suffix."""
    rows = make_chats(*chats)
    edited = stage(max_source=limit).edit(rows)
    if edited.rows.height:
        assert max(source_tokens(edited.rows)) <= limit
    before = said(rows["messages"])
    for origin, after in zip(edited.origin, said(edited.rows["messages"]), strict=True):
        last = max(i for i, (role, _) in enumerate(before[origin]) if role == "a")
        whole = [message for message in before[origin][: last + 1] if message[0] != "s"]
        spoken = [message for message in after if message[0] != "s"]
        assert whole[len(whole) - len(spoken) :] == spoken
        assert sum(role == "s" for role, _ in after) == sum(role == "s" for role, _ in before[origin][: last + 1])


def test_exchanges_begin_at_user_turns(make_chats: Any) -> None:
    """System messages have no exchange, an opening is exchange 0, two user turns in a row are one."""
    rows = make_chats([("s", "x"), ("a", "o"), ("u", "1"), ("u", "1"), ("a", "1"), ("u", "2")], [("u", "1")])
    assert with_exchanges(flat_messages(rows))["exchange"].to_list() == [None, 0, 1, 1, 1, 2, 1]
