"""When the shape can't be told, the error says what was seen and what each shape needs."""

from __future__ import annotations

from typing import Any

import pytest

from curate.errors import SourceError


@pytest.mark.parametrize(
    ("record", "fields", "words"),
    [
        ({"a": 1, "b": "x"}, {}, r"no shape fits the columns 'a', 'b'(.|\n)*messages: messages, \[system\]"),
        ({"question": "q", "answer": "a", "prompt": "p", "completion": "c"}, {}, "fit prompt_completion and question_"),
        ({"text": "x"}, {"format": "alpaca"}, "format alpaca needs instruction, output"),
        ({"text": "x"}, {"columns": {"text": "txet"}}, "there is no column 'txet'; did you mean 'text'"),
        ({"text": "x"}, {"columns": {"txet": "text"}}, "has no field 'txet'; did you mean 'text'"),
        ({"text": "x"}, {"profile": ["age"]}, "there is no column 'age'"),
        ({"text": "x"}, {"group_by": "call"}, "there is no column 'call'"),
        ({"text": "x"}, {"roles": {"a": "drop"}}, "is for utterance tables; these are text"),
    ],
)
def test_errors(load: Any, jsonl: Any, record: Any, fields: Any, words: str) -> None:
    """Each way of not fitting has its message."""
    with pytest.raises(SourceError, match=words):
        load(path=str(jsonl(record)), **fields)


def test_files_of_different_shapes(load: Any, jsonl: Any) -> None:
    """Files that differ in shape are told to be two sources."""
    jsonl({"question": "q", "answer": "a"}, name="a.jsonl")
    path = jsonl({"instruction": "q", "output": "a"}, name="b.jsonl")
    with pytest.raises(SourceError, match=r"b.jsonl has no column 'question' .* make it a source of its own"):
        load(path=str(path.parent))


def test_repeated_header(load: Any, tmp_path: Any) -> None:
    """A table that names a column twice is an error, because one of the two would be lost."""
    (tmp_path / "a.csv").write_text("text,text\na,b\n")
    with pytest.raises(SourceError, match="names 'text' more than once"):
        load(path=str(tmp_path / "a.csv"))


@pytest.mark.parametrize(("place", "seen"), [(99, True), (100, False)])
def test_a_hundred_records_are_looked_at_however_long(load: Any, jsonl: Any, place: int, seen: bool) -> None:
    """Records of a megabyte in all: a column of the hundredth is known, one of the next is not."""
    records = [{"text": "x" * 10_000} | ({"age": 1} if at == place else {}) for at in range(120)]
    path = str(jsonl(*records))
    if seen:
        load(path=path, profile=["age"])
        return
    with pytest.raises(SourceError, match="there is no column 'age'"):
        load(path=path, profile=["age"])
