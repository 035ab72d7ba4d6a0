"""A value redacted where the user said it is redacted in all of the row: answers, tool calls, results, reasoning."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from curate.stages.safety.pii_known import Known, spellings
from curate.stages.safety.redact_pii import RedactPii

Build = Callable[..., pl.DataFrame]


def calls(**arguments: Any) -> str:
    """Returns a message's tool_calls: one call of look_up."""
    return json.dumps([{"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}])


def given(tool_calls: str) -> Any:
    """Returns the arguments of the first call."""
    return json.loads(tool_calls)[0]["function"]["arguments"]


def test_answers_that_repeat_it(make_chats: Build) -> None:
    """However the answer spells the value; other values in it and numbers of orders stay."""
    chat = [
        ("u", "我手机138-1234-5678，订单20240315123456789"),
        ("a", "13812345678对吗？订单20240315123456789，热线400-820-8820"),
    ]
    edited = RedactPii().edit(make_chats(chat))
    asked, answered = edited.rows["messages"][0]
    assert asked["content"] == "我手机[PHONE_1]，订单20240315123456789"
    assert answered["content"] == "[PHONE_1]对吗？订单20240315123456789，热线400-820-8820"
    assert edited.notes.to_dicts() == [{"row": 0, "reason": "pii_in_answer"}]


def test_a_spelling_is_known_without_the_word_that_told_it(make_chats: Build) -> None:
    """A local number stands after 电话 once; said again it has no such word, inside a longer number it is another."""
    messages = RedactPii().edit(make_chats([("u", "电话67010327"), ("a", "67010327，不是167010327或67010327.5")])).rows
    assert messages["messages"][0][1]["content"] == "[PHONE_1]，不是167010327或67010327.5"


def test_tool_calls_results_and_reasoning(make_chats: Build) -> None:
    """JSON stays JSON: in strings, escaped strings, JSON inside strings and as numbers; all else keeps its bytes."""
    arguments = {
        "phone": "13812345678",
        "same": 13812345678,
        "float": 13812345678.0,
        "text": 'say "hi"\n13812345678',
        "inner": '{"tel": 13812345678, "n": 1.50}',
        "plate": "京A12345",
        "order": 20240315123456789,
        "price": 1.50,
    }
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": calls(**arguments),
        "reasoning_content": "打13812345678",
    }
    result = ("t", '{"owner": 13812345678, "other": "13912345678",  "order": 5}')
    edited = RedactPii().edit(make_chats([("u", "+8613812345678，车牌京A12345"), call, result, ("a", "好")]))
    _, called, told, _ = edited.rows["messages"][0]
    assert given(called["tool_calls"]) == {
        "phone": "[PHONE_1]",
        "same": "[PHONE_1]",
        "float": "[PHONE_1]",
        "text": 'say "hi"\n[PHONE_1]',
        "inner": '{"tel": "[PHONE_1]", "n": 1.50}',
        "plate": "[PLATE_1]",
        "order": 20240315123456789,
        "price": 1.50,
    }
    assert called["reasoning_content"] == "打[PHONE_1]"
    assert called["content"] is None
    assert told["content"] == '{"owner": "[PHONE_1]", "other": "13912345678",  "order": 5}'


def test_pairs_and_judged_rows_alike(make_rows: Build) -> None:
    """What the prompt says is redacted in chosen, rejected and completion, in their tool calls too."""
    asked, said = [("u", "a.b@example.com")], [("a", "写给A.B@example.com")]
    called = [{"role": "assistant", "content": "好", "tool_calls": calls(to="a.b@example.com")}]
    rows = make_rows(
        {"kind": "preference", "prompt": asked, "chosen": called, "rejected": said},
        {"kind": "kto", "prompt": asked, "completion": said, "label": True},
    )
    pair, judged = RedactPii().edit(rows).rows.to_dicts()
    assert pair["prompt"][0]["content"] == "[EMAIL_1]"
    assert given(pair["chosen"][0]["tool_calls"]) == {"to": "[EMAIL_1]"}
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == ("好", "写给[EMAIL_1]")
    assert judged["completion"][0]["content"] == "写给[EMAIL_1]"
    assert (judged["chosen"], judged["messages"]) == (None, None)


def test_values_of_one_row_stay_in_another(make_chats: Build) -> None:
    """A number one customer said is no secret of the next row's answer."""
    edited = RedactPii().edit(make_chats([("u", "13812345678"), ("a", "好")], [("u", "号码？"), ("a", "13812345678")]))
    assert edited.origin.to_list() == [0]
    assert edited.notes.to_dicts() == [{"row": 1, "reason": "pii_in_answer"}]


def test_what_only_a_call_or_reasoning_holds_is_noted(make_chats: Build) -> None:
    """Values seen in tool arguments or reasoning alone stay with a note; listing assistant redacts them too."""
    call = {"role": "assistant", "content": None, "tool_calls": calls(phone=13812345678)}
    thought = {"role": "assistant", "content": "好", "reasoning_content": "邮箱a@b.cn"}
    rows = make_chats([("u", "打给她"), call, ("t", "{}"), ("a", "好")], [("u", "她呢"), thought])
    edited = RedactPii().edit(rows)
    assert edited.rows.is_empty()
    assert edited.notes.to_dicts() == [{"row": n, "reason": "pii_in_answer"} for n in (0, 1)]
    both = RedactPii(roles=("user", "assistant")).edit(rows)
    assert given(both.rows["messages"][0][1]["tool_calls"]) == {"phone": "[PHONE_1]"}
    assert both.rows["messages"][1][1]["reasoning_content"] == "邮箱[EMAIL_1]"
    assert both.notes.is_empty()


def test_allowed_spellings_stay_everywhere(make_chats: Build) -> None:
    """A pattern keeps the spelling it matches, in answers as well."""
    rows = make_chats([("u", "138-1234-5678"), ("a", "13812345678")])
    edited = RedactPii(allow_patterns=("^138[0-9]",)).edit(rows)
    assert [m["content"] for m in edited.rows["messages"][0]] == ["[PHONE_1]", "13812345678"]


@pytest.mark.parametrize(
    ("secret", "answer", "wanted"),
    [
        ("hunter2x", "令牌hunter2x", "令牌[SECRET_1]"),
        ("test", "this is a test", "this is a test"),
        ("test", "https://a.cn/?token=test", "https://a.cn/?token=[SECRET_1]"),
    ],
)
def test_secrets_that_are_words_are_known_only_in_their_place(
    make_chats: Build, secret: str, answer: str, wanted: str
) -> None:
    """A password "test" does not redact the word; a token with digits is replaced wherever it stands."""
    rows = RedactPii().edit(make_chats([("u", f"https://a.cn/?token={secret}"), ("a", answer)])).rows
    assert rows["messages"][0][1]["content"] == wanted


def test_messages_keep_what_is_not_text(make_rows: Build) -> None:
    """Names, ids and weights of messages stay, and fields a row does not have stay null."""
    call = {"role": "assistant", "content": "", "tool_calls": calls(p="13812345678"), "weight": 0, "name": "bot"}
    result = {"role": "tool", "content": "ok", "tool_call_id": "c1"}
    rows = make_rows(
        {"messages": [("u", "13812345678"), call, result, ("a", "好")]}, {"kind": "text", "text": "a@b.cn"}
    )
    after = RedactPii().edit(rows).rows
    messages = after["messages"][0]
    assert (messages[1]["weight"], messages[1]["name"], messages[2]["tool_call_id"]) == (0, "bot", "c1")
    assert after["messages"][1] is None
    assert after.schema == rows.schema


def test_spellings_of_a_number() -> None:
    """A number is known as written, without separators and in its international form."""
    assert spellings("PHONE", "138 1234-5678", "+8613812345678") == ("138 1234-5678", "13812345678", "+8613812345678")
    known = Known({}, {"a1b2c3": "[SECRET_1]"}, lambda text: [], lambda raw: False)
    assert known.put("xa1b2c3 a1b2c3") == "xa1b2c3 [SECRET_1]"
