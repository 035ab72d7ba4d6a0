"""Every shape becomes rows, without `columns:`."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

USER = {"role": "user", "content": "你好"}
ANSWER = {"role": "assistant", "content": "您好"}


def test_messages_keep_their_fields(load: Any, jsonl: Any) -> None:
    """OpenAI messages keep text, name, weight, reasoning and tool calls; other columns go to meta."""
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"b": 1, "a": [2]}'}}
    got = load(
        path=str(
            jsonl(
                {
                    "id": 7,
                    "tools": [{"name": "find", "parameters": {}}],
                    "messages": [
                        {"role": "developer", "content": "be kind"},
                        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                        {"role": "assistant", "content": None, "tool_calls": [call], "weight": 0},
                        {"role": "tool", "content": "{}", "tool_call_id": "c1"},
                        {"role": "assistant", "content": "ok", "reasoning_content": "hm", "train": True, "name": "A"},
                    ],
                }
            )
        )
    )
    assert got.shape.format == "messages"
    calls = '[{"id":"c1","type":"function","function":{"name":"find","arguments":{"b":1,"a":[2]}}}]'
    assert got.messages() == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "ab"},
        {"role": "assistant", "tool_calls": calls, "weight": 0},
        {"role": "tool", "content": "{}", "tool_call_id": "c1"},
        {"role": "assistant", "content": "ok", "reasoning_content": "hm", "weight": 1, "name": "A"},
    ]
    assert got.rows["tools"][0] == '[{"type":"function","function":{"name":"find","parameters":{}}}]'
    assert orjson.loads(got.rows["meta"][0]) == {"id": 7}
    assert got.rows["kind"][0] == "chat"
    assert got.rows["ability"][0] == "s"


def test_plain_and_rich_records_give_the_same_hash(load: Any, jsonl: Any) -> None:
    """A row read in a batch of plain records has the hash it has beside a record that is not plain."""
    plain = {"messages": [USER, ANSWER]}
    rich = {"messages": [USER, {**ANSWER, "weight": 0}]}
    alone = load(path=str(jsonl(plain)))
    beside = load(path=str(jsonl(plain, rich, name="two.jsonl")))
    assert alone.rows["content_hash"][0] == beside.rows["content_hash"][0] != beside.rows["content_hash"][1]


def test_sharegpt_with_calls(load: Any, jsonl: Any) -> None:
    """ShareGPT roles, its system and tools columns, function calls and observations are understood."""
    record = {
        "system": "sys",
        "tools": '[{"name": "f", "parameters": {}}]',
        "conversations": [
            {"from": "human", "value": "q"},
            {"from": "function_call", "value": '{"name": "f", "arguments": {"x": 1}}'},
            {"from": "observation", "value": "[1]"},
            {"from": "gpt", "value": "a"},
        ],
    }
    got = load(path=str(jsonl(record)))
    assert got.shape.format == "sharegpt"
    assert [m["role"] for m in got.messages()] == ["system", "user", "assistant", "tool", "assistant"]
    assert orjson.loads(got.messages()[2]["tool_calls"]) == [
        {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    ]
    assert orjson.loads(got.rows["tools"][0])[0]["type"] == "function"


def test_alpaca(load: Any, jsonl: Any) -> None:
    """Alpaca's input goes below its instruction, its history before, its system first."""
    got = load(
        path=str(
            jsonl(
                {"instruction": "do", "input": "this", "output": "done", "system": "s", "history": [["q", "a"]]},
                {"instruction": "do", "input": "", "output": "done"},
            )
        )
    )
    assert got.shape.format == "alpaca"
    assert [(m["role"], m["content"]) for m in got.messages()] == [
        ("system", "s"),
        ("user", "q"),
        ("assistant", "a"),
        ("user", "do\nthis"),
        ("assistant", "done"),
    ]
    assert got.messages(1)[0]["content"] == "do"


def test_an_alpaca_input_may_say_that_there_is_none(load: Any, jsonl: Any) -> None:
    """The whole value noinput, <noinput>, No input, None or N/A counts as empty; such a word inside a text does not."""
    empty = ["noinput", "<noinput>", "No input", " NONE\n", "N/A", None, "  "]
    given = [*empty, "none of these", "noinput."]
    got = load(path=str(jsonl(*({"instruction": "do", "input": text, "output": "done"} for text in given))))
    asked = [got.messages(at)[0]["content"] for at in range(len(given))]
    assert asked == ["do"] * len(empty) + ["do\nnone of these", "do\nnoinput."]


@pytest.mark.parametrize(
    ("record", "shape"),
    [
        ({"prompt": "你好", "completion": "您好"}, "prompt_completion"),
        ({"prompt": [USER], "completion": [ANSWER]}, "prompt_completion"),
        ({"question": "你好", "answer": "您好"}, "question_answer"),
        ({"问题": "你好", "答案": "您好"}, "question_answer"),
        ({"对话": [USER, ANSWER]}, "messages"),
        ({"anything": [USER, ANSWER]}, "messages"),
        ({"messages": {"role": ["user", "assistant"], "content": ["你好", "您好"]}}, "messages"),
        ({"messages": orjson.dumps([USER, ANSWER]).decode()}, "messages"),
    ],
)
def test_pairs_and_lists_become_the_same_chat(load: Any, jsonl: Any, record: Any, shape: str) -> None:
    """One question and its answer are the same chat in every shape."""
    got = load(path=str(jsonl(record)))
    assert got.shape.format == shape
    assert got.messages() == [USER, ANSWER]


def test_assistant_turns_inside_a_prompt_are_not_trained(load: Any, jsonl: Any) -> None:
    """What the assistant says in a prompt of messages has weight 0."""
    got = load(path=str(jsonl({"prompt": [USER, ANSWER, USER], "completion": "x"})))
    assert [m.get("weight") for m in got.messages()] == [None, 0, None, None]


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "你好", "chosen": "好", "rejected": "坏"},
        {"instruction": "你好", "input": "", "chosen": "好", "rejected": "坏"},
        {"prompt": [USER], "chosen": [{"role": "assistant", "content": "好"}], "rejected": "坏"},
        {
            "prompt": "你好",
            "chosen": [USER, {"role": "assistant", "content": "好"}],
            "rejected": [USER, {"role": "assistant", "content": "坏"}],
        },
        {
            "chosen": [USER, {"role": "assistant", "content": "好"}],
            "rejected": [USER, {"role": "assistant", "content": "坏"}],
        },
        {"chosen": "\n\nHuman: 你好\n\nAssistant: 好", "rejected": "\n\nHuman: 你好\n\nAssistant: 坏"},
        {
            "conversations": [{"from": "human", "value": "你好"}],
            "chosen": {"from": "gpt", "value": "好"},
            "rejected": {"from": "gpt", "value": "坏"},
        },
    ],
)
def test_preference(load: Any, jsonl: Any, record: Any) -> None:
    """Explicit and implicit prompts, text, messages and ShareGPT give the same pair."""
    got = load(path=str(jsonl(record)))
    assert got.shape.format == "preference"
    assert got.messages(field="prompt") == [USER]
    assert got.messages(field="chosen") == [{"role": "assistant", "content": "好"}]
    assert got.messages(field="rejected") == [{"role": "assistant", "content": "坏"}]


def test_equal_answers_keep_the_last_message_as_answer(load: Any, jsonl: Any) -> None:
    """When both implicit answers are equal the prompt does not swallow them."""
    got = load(path=str(jsonl({"chosen": [USER, ANSWER], "rejected": [USER, ANSWER]})))
    assert got.messages(field="chosen") == got.messages(field="rejected") == [ANSWER]


@pytest.mark.parametrize("label", [True, 1, "true"])
@pytest.mark.parametrize(
    "record", [{"prompt": "你好", "completion": "您好"}, {"messages": [USER, ANSWER]}, {"prompt": [USER, ANSWER]}]
)
def test_kto(load: Any, jsonl: Any, record: Any, label: Any) -> None:
    """A label makes a judged completion, given apart or as the last message."""
    got = load(path=str(jsonl({**record, "label": label})))
    assert got.shape.format == "kto"
    assert got.messages(field="prompt") == [USER]
    assert got.messages(field="completion") == [ANSWER]
    assert got.rows["label"].to_list() == [True]


def test_a_class_label_is_no_judgement(load: Any, jsonl: Any) -> None:
    """Text with a class label stays a document."""
    got = load(path=str(jsonl({"text": "新闻", "label": 1}, {"text": "体育", "label": 5})))
    assert got.shape.format == "text"
    assert got.rows["text"].to_list() == ["新闻", "体育"]


def test_labels_from_columns(load: Any, jsonl: Any) -> None:
    """Ability, domain, language and tags are read from mapped columns; an ability column counts unasked."""
    path = str(jsonl({"text": "a", "ability": "math", "lang": "zh", "mine": "true", "kinds": ["x", "y"], "age": 3}))
    got = load(path=path, columns={"language": "lang", "domain": "mine", "tags": "kinds"}, profile=["age"])
    row = got.rows.row(0, named=True)
    assert (row["ability"], row["language"], row["domain"], row["tags"]) == ("math", "zh", True, ["x", "y"])
    assert (row["profile"], row["meta"]) == ('{"age":3}', None)
    assert load(path=path, ability="mine").rows["ability"][0] == "mine"


def test_columns_and_format_overrule(load: Any, jsonl: Any) -> None:
    """`format:` and `columns:` decide over what detection would say."""
    path = str(jsonl({"question": "q", "answer": "a", "reply": "r"}))
    got = load(path=path, format="prompt_completion", columns={"prompt": "question", "completion": "reply"})
    assert [m["content"] for m in got.messages()] == ["q", "r"]
    assert orjson.loads(got.rows["meta"][0]) == {"answer": "a"}


def test_role_names_of_the_source(load: Any, jsonl: Any) -> None:
    """`roles:` maps more names, also over known ones."""
    path = str(jsonl({"messages": [{"role": "客", "content": "q"}, {"role": "sys", "content": "s"}]}))
    got = load(path=path, roles={"客": "user", "sys": "system"})
    assert [m["role"] for m in got.messages()] == ["user", "system"]
