"""Apply: one stage on one file, the records of every shape coming back as they were but for what the stage changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from curate.apply import Applied, apply_stage
from curate.errors import RecipeError, SourceError, StageError
from curate.recipe import build_stage
from tests.curate.small import TOKENIZER, chat, jsonl

Record = dict[str, Any]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}

SHAPES: dict[str, tuple[Record, Record]] = {
    "messages": (
        {
            "id": 7,
            "messages": [{"role": "user", "content": "嗯，问", "time": 3}, {"role": "assistant", "content": "答"}],
            "n": [1],
        },
        {
            "id": 7,
            "messages": [{"role": "user", "content": "问", "time": 3}, {"role": "assistant", "content": "答"}],
            "n": [1],
        },
    ),
    "messages with a call": (
        {
            "messages": [
                {"role": "user", "content": "嗯，问"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": "嗯，好", "tool_call_id": "c1"},
                {"role": "assistant", "content": "答"},
            ],
            "tools": [{"type": "function", "function": {"name": "f"}}],
        },
        {
            "messages": [
                {"role": "user", "content": "问"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": "嗯，好", "tool_call_id": "c1"},
                {"role": "assistant", "content": "答"},
            ],
            "tools": [{"type": "function", "function": {"name": "f"}}],
        },
    ),
    "sharegpt": (
        {"conversations": [{"from": "human", "value": "嗯，问", "x": 1}, {"from": "gpt", "value": "答"}], "id": "a"},
        {"conversations": [{"from": "human", "value": "问", "x": 1}, {"from": "gpt", "value": "答"}], "id": "a"},
    ),
    "sharegpt with a system column": (
        {"system": "嗯，客服", "conversations": [{"from": "human", "value": "嗯，问"}, {"from": "gpt", "value": "答"}]},
        {"system": "嗯，客服", "conversations": [{"from": "human", "value": "问"}, {"from": "gpt", "value": "答"}]},
    ),
    "alpaca": (
        {"instruction": "嗯，问", "input": "", "output": "答", "k": 1},
        {"instruction": "问", "input": "", "output": "答", "k": 1},
    ),
    "alpaca whose input says that there is none": (
        {"instruction": "嗯，问", "input": "<noinput>", "output": "答"},
        {"instruction": "问", "input": "<noinput>", "output": "答"},
    ),
    "alpaca with input and history": (
        {"instruction": "翻译", "input": "嗯，一", "output": "答", "history": [["嗯，早", "早"]], "system": "你是"},
        {"instruction": "翻译", "input": "一", "output": "答", "history": [["早", "早"]], "system": "你是"},
    ),
    "prompt_completion": (
        {"prompt": "嗯，问", "completion": "嗯，答", "z": None},
        {"prompt": "问", "completion": "答", "z": None},
    ),
    "prompt_completion of messages": (
        {"prompt": [{"role": "user", "content": "嗯，问"}], "completion": [{"role": "assistant", "content": "答"}]},
        {"prompt": [{"role": "user", "content": "问"}], "completion": [{"role": "assistant", "content": "答"}]},
    ),
    "question_answer": ({"question": "嗯，问", "answer": "答"}, {"question": "问", "answer": "答"}),
    "preference": (
        {"prompt": "嗯，问", "chosen": "嗯，好", "rejected": "坏", "by": "me"},
        {"prompt": "问", "chosen": "好", "rejected": "坏", "by": "me"},
    ),
    "preference of messages": (
        {
            "prompt": [{"role": "user", "content": "嗯，问"}],
            "chosen": [{"role": "assistant", "content": "好"}],
            "rejected": [{"role": "assistant", "content": "嗯，坏"}],
        },
        {
            "prompt": [{"role": "user", "content": "问"}],
            "chosen": [{"role": "assistant", "content": "好"}],
            "rejected": [{"role": "assistant", "content": "坏"}],
        },
    ),
    "kto": (
        {"prompt": "嗯，问", "completion": "嗯，答", "label": False},
        {"prompt": "问", "completion": "答", "label": False},
    ),
    "preference of whole dialogues": (
        {
            "chosen": [{"role": "user", "content": "嗯，问", "k": 1}, {"role": "assistant", "content": "好"}],
            "rejected": [{"role": "user", "content": "嗯，问", "k": 2}, {"role": "assistant", "content": "嗯，坏"}],
        },
        {
            "chosen": [{"role": "user", "content": "问", "k": 1}, {"role": "assistant", "content": "好"}],
            "rejected": [{"role": "user", "content": "问", "k": 2}, {"role": "assistant", "content": "坏"}],
        },
    ),
    "preference of dialogues in text": (
        {"chosen": "\n\nHuman: 嗯，问\n\nAssistant: 好", "rejected": "\n\nHuman: 嗯，问\n\nAssistant: 坏"},
        {"chosen": "\n\nHuman: 问\n\nAssistant: 好", "rejected": "\n\nHuman: 问\n\nAssistant: 坏"},
    ),
    "preference of sharegpt": (
        {
            "conversations": [{"from": "human", "value": "嗯，问"}],
            "chosen": {"from": "gpt", "value": "好"},
            "rejected": {"from": "gpt", "value": "嗯，坏"},
        },
        {
            "conversations": [{"from": "human", "value": "问"}],
            "chosen": {"from": "gpt", "value": "好"},
            "rejected": {"from": "gpt", "value": "坏"},
        },
    ),
    "preference with an input and a system": (
        {"instruction": "翻译", "input": "嗯，一", "chosen": "好", "rejected": "坏", "system": "你是"},
        {"instruction": "翻译", "input": "一", "chosen": "好", "rejected": "坏", "system": "你是"},
    ),
    "kto of one dialogue": (
        {"messages": [{"role": "user", "content": "嗯，问"}, {"role": "assistant", "content": "答"}], "label": True},
        {"messages": [{"role": "user", "content": "问"}, {"role": "assistant", "content": "答"}], "label": True},
    ),
    "text": ({"text": "嗯，这是文章。", "url": "u"}, {"text": "这是文章。", "url": "u"}),
}


def applied(path: Path, stage: str, **parameters: Any) -> tuple[list[Record], Applied]:
    """Returns the records of a file after a stage, and the count of what happened."""
    tally = Applied()
    return list(apply_stage(build_stage(stage, parameters), path, tally)), tally


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_comes_back(shape: str, tmp_path: Path) -> None:
    """An edit changes the text it edits; all other fields and keys, and untouched records, are byte for byte the same."""
    record, expected = SHAPES[shape]
    path = jsonl(tmp_path / "f.jsonl", record, expected)
    found, tally = applied(path, "strip_fillers")
    assert [orjson.dumps(r) for r in found] == [orjson.dumps(expected)] * 2
    assert (tally.records, tally.written, tally.refused) == (2, 2, 0)
    assert sum(tally.reasons.values()) == 1


@pytest.mark.parametrize(
    "record",
    [
        {"instruction": "问", "output": "答", "history": [["早", "好"]]},
        {"instruction": "问", "input": "一", "output": "答"},
        {"question": "问", "answer": "答"},
        {"prompt": "问", "completion": "答"},
        {"prompt": "问", "chosen": "好", "rejected": "坏"},
        {"prompt": "问", "completion": "答", "label": True},
    ],
)
def test_a_new_system_message_has_its_column(record: Record, tmp_path: Path) -> None:
    """Shapes of text get a column `system`, which ingest reads; nothing else moves."""
    path = jsonl(tmp_path / "f.jsonl", {**record, "age": 3})
    found, _ = applied(path, "attach_profile", template="{age}岁")
    assert found == [{**record, "age": 3, "system": "3岁"}]
    again, _ = applied(jsonl(tmp_path / "g.jsonl", *found), "normalize")
    assert again == found


def test_an_array_comes_back_as_records(tmp_path: Path) -> None:
    """Records on one line of a JSON array are told apart."""
    path = tmp_path / "f.json"
    path.write_bytes(orjson.dumps([{"question": f"嗯，问{i}", "answer": "答", "n": i} for i in range(5)]))
    found, _ = applied(path, "strip_fillers")
    assert found == [{"question": f"问{i}", "answer": "答", "n": i} for i in range(5)]


def test_a_table_comes_back_as_records(tmp_path: Path) -> None:
    """A CSV of questions and answers gives records with its columns."""
    path = tmp_path / "f.csv"
    path.write_text('question,answer,n\n"嗯，\n问",答,1\n嗯，问,答,2\n')
    found, _ = applied(path, "strip_fillers")
    assert [r["n"] for r in found] == ["1", "2"]
    assert found[1] == {"question": "问", "answer": "答", "n": "2"}


def test_a_table_of_utterances_is_refused(tmp_path: Path) -> None:
    """Utterances are no records of their own; the error says what to do."""
    path = tmp_path / "calls.csv"
    path.write_text("call_id,speaker,text\n1,user,q\n1,assistant,r\n")
    with pytest.raises(SourceError, match="utterances"):
        applied(path, "normalize")


def test_dropped_and_unreadable_records_are_counted(tmp_path: Path) -> None:
    """Records that can't be read are counted apart from those the stage drops."""
    path = jsonl(tmp_path / "f.jsonl", chat("q", "r"), b"{broken", chat("q", ""), {"messages": 3})
    found, tally = applied(path, "validate_chat")
    assert found == [chat("q", "r")]
    assert (tally.records, tally.written, tally.refused) == (4, 1, 2)
    assert tally.reasons == {("drop", "no_assistant_turn"): 1}


def test_a_composite_drops_by_its_score(tmp_path: Path) -> None:
    """A composite scores and drops; no score is written."""
    path = jsonl(tmp_path / "f.jsonl", chat("q", "r"), chat("q" * 50, "r"))
    found, tally = applied(path, "length", max_chars=20)
    assert found == [chat("q", "r")]
    assert tally.reasons == {("drop", "too_long_chars"): 1}


def test_a_select_compares_the_whole_file(tmp_path: Path) -> None:
    """Of equal records the first stays, with all its fields; protected ones stay."""
    records = [{**chat("q", "r"), "n": n} for n in range(3)]
    path = jsonl(tmp_path / "f.jsonl", *records, {**chat("other", "r"), "n": 3})
    found, tally = applied(path, "exact_dedup")
    assert [r["n"] for r in found] == [0, 3]
    assert tally.reasons == {("drop", "exact_duplicate"): 2}
    for parameters in ({"protect": {"source": ["f"]}}, {"only": {"source": ["g"]}}):
        assert len(applied(path, "exact_dedup", **parameters)[0]) == 4


def test_children_have_ids_of_their_own(tmp_path: Path) -> None:
    """An expanded record gives several, numbered after its id; one that stays whole keeps its own."""
    long = {"id": "call", **chat("一？", "1。", "二？", "2。"), "k": 9}
    path = jsonl(tmp_path / "f.jsonl", long, {"id": "short", **chat("q", "r")})
    found, _ = applied(path, "truncate_history", max_source=200, max_target=50, expand="every", tokenizer=TOKENIZER)
    assert [r["id"] for r in found] == ["call#0", "call#1", "short"]
    assert [r.get("k") for r in found] == [9, 9, None]
    assert [len(r["messages"]) for r in found] == [2, 4, 2]


def test_a_stage_that_counts_tokens_names_a_tokenizer(tmp_path: Path) -> None:
    """There is no recipe to take it from; the error says what to add."""
    path = jsonl(tmp_path / "f.jsonl", chat("q", "r"))
    with pytest.raises(
        StageError, match="stage 'truncate_history' counts tokens here: add `--set tokenizer=FOLDER_OR_ID`"
    ):
        applied(path, "truncate_history", max_source=10, max_target=10)


def test_documents_are_edited_when_they_are_all_there_is(tmp_path: Path) -> None:
    """A stage that edits user and assistant turns by default edits plain text here, unless roles are said."""
    path = jsonl(tmp_path / "f.jsonl", {"text": "嗯，好"})
    assert applied(path, "strip_fillers")[0] == [{"text": "好"}]
    assert applied(path, "strip_fillers", roles=["user"])[0] == [{"text": "嗯，好"}]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file and an unknown stage name the nearest."""
    jsonl(tmp_path / "file.jsonl", chat("q", "r"))
    with pytest.raises(SourceError, match=r"fil\.jsonl: no such file or folder; did you mean .*file\.jsonl"):
        applied(tmp_path / "fil.jsonl", "normalize")
    with pytest.raises(RecipeError, match="unknown stage 'normalise'; did you mean 'normalize'"):
        applied(tmp_path / "file.jsonl", "normalise")
