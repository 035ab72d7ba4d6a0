"""What validate_chat mends, what it drops, and that a mended row needs no more mending."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.rows import MESSAGE, ROW_SCHEMA, conform, empty_rows, flat_messages
from curate.stages.history.validate_chat import ValidateChat

CALL = {"role": "assistant", "tool_calls": '[{"id":"c1","type":"function","function":{"name":"f","arguments":{}}}]'}
TWO_CALLS = {
    "role": "assistant",
    "tool_calls": '[{"type":"function","function":{"name":"f","arguments":{}}},'
    '{"type":"function","function":{"name":"g","arguments":{}}}]',
}
MENDED = [
    ([("u", "a"), ("u", "b"), ("a", "c")], "turns_merged", [("u", "a\nb"), ("a", "c")]),
    ([("u", "a"), ("a", "b"), ("a", "c")], "turns_merged", [("u", "a"), ("a", "b\nc")]),
    ([("s", "x"), ("s", "y"), ("u", "a"), ("a", "b")], "turns_merged", [("s", "x\ny"), ("u", "a"), ("a", "b")]),
    ([("u", "a"), ("s", "x"), ("a", "b")], "system_moved", [("s", "x"), ("u", "a"), ("a", "b")]),
    ([("u", "a"), ("a", "b"), ("u", "c")], "trailing_turns", [("u", "a"), ("a", "b")]),
    ([("u", "a"), ("a", "b"), ("u", " \n"), ("a", None)], "empty_turn", [("u", "a"), ("a", "b")]),
    ([("u", "a"), CALL, ("t", "r")], "trailing_turns", [("u", "a"), ("a", None)]),
    ([("u", "a"), ("a", "wait"), CALL, ("t", ""), ("a", "b")], "turns_merged", None),
]
SOUND = [
    [("u", "a"), ("a", "b")],
    [("s", "x"), ("u", "a"), ("a", "b"), ("u", "c"), ("a", "d")],
    [("u", "a"), CALL],
    [("u", "a"), CALL, {"role": "tool", "content": "", "tool_call_id": "c1"}, ("a", "b")],
    [("u", "a"), TWO_CALLS, ("t", "r"), ("t", "r"), CALL, ("t", "r"), ("a", "b")],
]
DROPPED = [
    ([], "no_assistant_turn"),
    (None, "no_assistant_turn"),
    ([("u", ""), ("a", " ")], "no_assistant_turn"),
    ([("u", "a")], "no_assistant_turn"),
    ([("a", "x"), ("u", "y")], "no_assistant_turn"),
    ([("s", "x"), ("a", "b")], "no_user_turn"),
    ([("u", " "), ("a", "b")], "no_user_turn"),
    ([("u", "a"), ("t", "r"), ("a", "b")], "dangling_tool_result"),
    ([("u", "a"), CALL, ("t", "r"), ("t", "r"), ("a", "b")], "dangling_tool_result"),
    ([("u", "a"), CALL, {"role": "tool", "content": "r", "tool_call_id": "c9"}, ("a", "b")], "dangling_tool_result"),
    ([("u", "a"), CALL, ("u", "c"), ("a", "b")], "unanswered_tool_call"),
    ([("u", "a"), CALL, ("a", "b")], "unanswered_tool_call"),
    ([("u", "a"), TWO_CALLS, ("t", "r"), ("a", "b")], "unanswered_tool_call"),
    ([("u", "a"), CALL, ("t", "r"), ("u", "c"), ("a", "b")], "wrong_alternation"),
    ([("bot", "a"), ("u", "a"), ("a", "b")], "unknown_role"),
]


@pytest.mark.parametrize(("chat", "reason", "after"), MENDED)
def test_mends_what_is_certain(make_chats: Any, said: Any, chat: Any, reason: str, after: Any) -> None:
    """Each mend is one edit with its reason."""
    edited = ValidateChat().edit(make_chats([("u", "x"), ("a", "y")], chat))
    assert edited.origin.to_list() == [1]
    assert edited.reasons.to_list() == [reason]
    assert edited.drops.is_empty()
    if after:
        assert said(edited.rows["messages"]) == [after]


def test_text_before_a_call_goes_into_the_calling_message(make_chats: Any) -> None:
    """An assistant's words and its tool call become one message."""
    edited = ValidateChat().edit(make_chats([("u", "a"), ("a", "wait"), CALL, ("t", "r"), ("a", "b")]))
    message = edited.rows["messages"][0].to_list()[1]
    assert message["content"] == "wait"
    assert message["tool_calls"] == CALL["tool_calls"]


@pytest.mark.parametrize("chat", SOUND)
def test_leaves_sound_chats_alone(make_chats: Any, chat: Any) -> None:
    """A sound conversation is neither edited nor dropped nor noted."""
    edited = ValidateChat().edit(make_chats(chat))
    assert edited.rows.is_empty()
    assert edited.drops.is_empty()
    assert edited.notes.is_empty()


@pytest.mark.parametrize(("chat", "reason"), DROPPED)
def test_drops_what_teaches_nothing_sound(make_chats: Any, chat: Any, reason: str) -> None:
    """A row that can't be mended is dropped, once, with its reason."""
    edited = ValidateChat().edit(make_chats([("u", "x"), ("a", "y")], chat))
    assert edited.drops.rows() == [(1, reason, "drop")]
    assert edited.rows.is_empty()


def test_calls_of_undeclared_tools(make_rows: Any) -> None:
    """A called function must be among the row's tools; without a list of tools nobody knows."""
    chat = [("u", "a"), CALL, ("t", "r"), ("a", "b")]
    tools = ['[{"type":"function","function":{"name": "f"}}]', '[{"function":{"name":"ff"}}]', "[]", None]
    rows = make_rows(*({"messages": chat, "tools": tool} for tool in tools))
    assert ValidateChat().edit(rows).drops.rows() == [(1, "undeclared_tool", "drop"), (2, "undeclared_tool", "drop")]


def test_alternation_drop_refuses_to_merge(make_chats: Any) -> None:
    """With `alternation: drop` a row of wrong order goes; two system messages still become one."""
    rows = make_chats(MENDED[0][0], MENDED[1][0], MENDED[2][0], SOUND[0])
    edited = ValidateChat(alternation="drop").edit(rows)
    assert edited.drops.rows() == [(0, "wrong_alternation", "drop"), (1, "wrong_alternation", "drop")]
    assert edited.origin.to_list() == [2]


@pytest.mark.parametrize(
    ("policy", "weights", "turns"), [("keep", None, None), ("context", [0, None, None], 3), ("drop", [None, None], 2)]
)
def test_opening_of_the_agent(make_chats: Any, policy: Any, weights: Any, turns: Any) -> None:
    """What the agent says first is trained, kept untrained or taken out."""
    edited = ValidateChat(leading_assistant=policy).edit(make_chats([("a", "hi"), ("u", "a"), ("a", "b")]))
    if turns is None:
        assert edited.rows.is_empty()
        return
    assert edited.reasons.to_list() == ["leading_assistant"]
    assert flat_messages(edited.rows)["weight"].to_list() == weights


def test_further_mends_are_notes(make_chats: Any) -> None:
    """The first mend is the reason of the edit, the others are noted."""
    edited = ValidateChat().edit(make_chats([("a", "hi"), ("u", "a"), ("u", ""), ("u", "b"), ("a", "c"), ("u", "d")]))
    assert edited.reasons.to_list() == ["empty_turn"]
    assert edited.notes["reason"].to_list() == ["trailing_turns", "turns_merged", "leading_assistant"]


PAIR = {"kind": "preference", "prompt": [("u", "q")], "chosen": [("a", "x")], "rejected": [("a", "y")]}
JUDGED = {"kind": "kto", "prompt": [("u", "q")], "completion": [("a", "x")], "label": True}
FAULTY = [
    ({**PAIR, "prompt": []}, "empty_prompt"),
    ({**PAIR, "prompt": [("u", "q"), ("a", "w")]}, "prompt_not_ending_with_user"),
    ({**PAIR, "chosen": [("a", " ")]}, "empty_chosen"),
    ({**PAIR, "rejected": None}, "empty_rejected"),
    ({**PAIR, "rejected": [("a", "y"), ("u", "z")]}, "answer_not_assistant"),
    ({**PAIR, "rejected": [("a", "x")]}, "identical_pair"),
    ({**JUDGED, "completion": []}, "empty_completion"),
    ({**JUDGED, "label": None}, "missing_label"),
    ({**PAIR, "prompt": [("u", "q"), CALL]}, "unanswered_tool_call"),
]


@pytest.mark.parametrize(("record", "reason"), FAULTY)
def test_pairs_and_judged_completions(make_rows: Any, record: Any, reason: str) -> None:
    """A pair needs a waiting prompt and two different answers, a judged completion an answer and a label."""
    assert ValidateChat().edit(make_rows(PAIR, JUDGED, record)).drops.rows() == [(2, reason, "drop")]


def test_prompts_are_mended_too(make_rows: Any, said: Any) -> None:
    """A prompt is merged and tidied like a chat, but ends with the user."""
    edited = ValidateChat().edit(make_rows({**PAIR, "prompt": [("u", "a"), ("u", "b")]}))
    assert said(edited.rows["prompt"]) == [[("u", "a\nb")]]
    assert edited.rows["messages"].to_list() == [None]


def test_no_rows() -> None:
    """No rows give no proposals."""
    edited = ValidateChat().edit(empty_rows())
    assert (edited.rows.height, edited.drops.height, edited.notes.height) == (0, 0, 0)


messages = st.lists(
    st.tuples(st.sampled_from(["system", "user", "assistant", "call", "tool"]), st.sampled_from(["x", "y", " ", None])),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(messages, min_size=1, max_size=5), st.sampled_from(["merge", "drop"]))
def test_mending_twice_changes_nothing(chats: list[Any], alternation: Any) -> None:
    """Every row is kept, mended or dropped once, and what is left is sound."""
    blank = dict.fromkeys(MESSAGE.to_schema())
    made = [
        [{**blank, **CALL} if role == "call" else {**blank, "role": role, "content": text} for role, text in chat]
        for chat in chats
    ]
    columns = {"id": [str(i) for i in range(len(made))], "kind": ["chat"] * len(made)}
    rows = conform(pl.DataFrame({**columns, "messages": pl.Series(made, dtype=ROW_SCHEMA["messages"])}))
    stage = ValidateChat(alternation=alternation)
    first = stage.edit(rows)
    assert not set(first.drops["row"]) & set(first.origin)
    assert first.drops["row"].is_unique().all()
    again = stage.edit(first.rows)
    assert again.rows.is_empty()
    assert again.drops.is_empty()
