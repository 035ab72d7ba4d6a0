"""Items: evaluation files of many shapes are read, and those that can't be say why."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pytest

from curate.errors import StageError
from curate.stages.decontaminate.benchmark import Benchmark, stem
from curate.stages.decontaminate.items import read_benchmarks
from curate.stages.decontaminate.options import split_options

Q = "Which gas do plants take in?"
OPTIONS = ("Oxygen", "Carbon dioxide", "Neon")
CHAT = {"messages": [{"role": "user", "content": Q}, {"role": "assistant", "content": "CO2"}]}
SHAPES: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "list of choices": ({"question": Q, "choices": list(OPTIONS), "answer": 1}, (Q,), OPTIONS, ()),
    "texts and labels": ({"question": Q, "choices": {"text": list(OPTIONS), "label": [*"ABC"]}}, (Q,), OPTIONS, ()),
    "labelled objects": ({"question": Q, "options": [{"label": "A", "text": t} for t in OPTIONS]}, (Q,), OPTIONS, ()),
    "letters to texts": ({"question": Q, "options": dict(zip("ABC", OPTIONS, strict=True))}, (Q,), OPTIONS, ()),
    "columns of letters": ({"Question": Q, **dict(zip("ABC", OPTIONS, strict=True)), "Answer": "B"}, (Q,), OPTIONS, ("B",)),
    "numbered columns": ({"sentence": Q, "option1": "Oxygen", "option2": "Neon"}, (Q,), ("Oxygen", "Neon"), ()),
    "labels in the list": ({"question": Q, "options": ["A. Oxygen", "B) Neon"]}, (Q,), ("Oxygen", "Neon"), ()),
    "options in the text": ({"prompt": f"{Q}\nA. Oxygen\nB. Carbon dioxide\nC. Neon"}, (Q,), OPTIONS, ()),
    "question and answer": ({"question": Q, "answer": "Carbon dioxide"}, (Q,), (), ("Carbon dioxide",)),
    "code": ({"task_id": "c/1", "prompt": "def f():", "canonical_solution": "return 1"}, ("def f():",), (), ("return 1",)),
    "instruction and input": ({"instruction": "Add", "input": "1 2", "output": "3"}, ("Add\n1 2",), (), ("3",)),
    "list of turns": ({"turns": ["First?", "Second?"]}, ("First?", "Second?"), (), ()),
    "chat": (CHAT, (Q,), (), ("CO2",)),
    "pair": ({"prompt": Q, "chosen": "CO2", "rejected": "Ne"}, (Q,), (), ()),
    "document": ({"text": "A whole page."}, ("A whole page.",), (), ()),
    "endings": ({"ctx": "A man runs", "endings": ["and falls", "and flies"]}, ("A man runs",), ("and falls", "and flies"), ()),
    "Chinese": ({"题目": "谁写的？", "选项": ["李白", "杜甫"], "答案": "A"}, ("谁写的？",), ("李白", "杜甫"), ("A",)),
}  # fmt: skip


def write(path: Path, *records: dict[str, Any]) -> Path:
    """Writes records as JSON Lines."""
    path.write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in records))
    return path


def benchmark(path: Path | str, **more: Any) -> Benchmark:
    """Returns what a recipe would say of a path."""
    return Benchmark.model_validate({"path": str(path), **more})


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_evaluation_sets(name: str, tmp_path: Path) -> None:
    """Question, choices and answer are found in the shapes benchmarks come in."""
    record, questions, choices, answers = SHAPES[name]
    found, _ = read_benchmarks((benchmark(write(tmp_path / "set.jsonl", record, record)),))
    assert [item.id for item in found.items] == ["set#1", "set#2"]
    item = found.items[0]
    assert (item.questions, item.choices, item.answers) == (questions, choices, answers)


def _csv(path: Path, frame: pl.DataFrame) -> Path:
    frame.write_csv(path / "set.csv")
    return path / "set.csv"


def _parquet(path: Path, frame: pl.DataFrame) -> Path:
    frame.write_parquet(path / "set.parquet")
    return path / "set.parquet"


def _json(path: Path, frame: pl.DataFrame) -> Path:
    (path / "set.json").write_bytes(orjson.dumps(frame.to_dicts()))
    return path / "set.json"


def _gzip(path: Path, frame: pl.DataFrame) -> Path:
    (path / "set.jsonl.gz").write_bytes(gzip.compress(frame.write_ndjson().encode()))
    return path / "set.jsonl.gz"


def _saved(path: Path, frame: pl.DataFrame) -> Path:
    folder = path / "set"
    folder.mkdir()
    table = frame.to_arrow()
    with pa.ipc.new_stream(folder / "data-00000-of-00001.arrow", table.schema) as writer:
        writer.write_table(table)
    (folder / "dataset_info.json").write_text("{}")
    (folder / "state.json").write_bytes(orjson.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    return folder


@pytest.mark.parametrize("writer", [_csv, _parquet, _json, _gzip, _saved])
def test_kinds_of_files(writer: Callable[[Path, pl.DataFrame], Path], tmp_path: Path) -> None:
    """CSV, Parquet, JSON, gzip and saved datasets give the same items, named after the file or folder."""
    frame = pl.DataFrame({"question": [Q, "Why?"], "A": ["Oxygen", "So"], "B": ["Neon", "No"], "answer": ["A", "B"]})
    found, _ = read_benchmarks((benchmark(writer(tmp_path, frame)),))
    assert found.names == ("set",)
    assert [(item.questions, item.choices) for item in found.items] == [
        ((Q,), ("Oxygen", "Neon")),
        (("Why?",), ("So", "No")),
    ]


def test_a_text_file_is_documents(tmp_path: Path) -> None:
    """Plain text is one document, its lines being no items."""
    (tmp_path / "book.txt").write_text("Call me Ishmael.\nSome years ago …\n")
    found, _ = read_benchmarks((benchmark(tmp_path / "book.txt"),))
    assert [item.questions for item in found.items] == [("Call me Ishmael.\nSome years ago …",)]


def test_files_of_a_pattern_are_sets_of_their_own(tmp_path: Path) -> None:
    """Each file a pattern matches is a set with its own numbers; with a name they are one set."""
    write(tmp_path / "a.jsonl", {"question": Q})
    write(tmp_path / "b.jsonl", {"question": "Why?"})
    found, _ = read_benchmarks((benchmark(tmp_path / "*.jsonl"),))
    assert [item.id for item in found.items] == ["a#1", "b#1"]
    found, _ = read_benchmarks((benchmark(tmp_path / "*.jsonl", name="both"),))
    assert [item.id for item in found.items] == ["both#1", "both#2"]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    """Items are kept in memory only while the file stays as it is."""
    path = write(tmp_path / "set.jsonl", {"question": "Old?"})
    read_benchmarks((benchmark(path),))
    write(path, {"question": "New one?"})
    os.utime(path, (1, 1))
    found, _ = read_benchmarks((benchmark(path),))
    assert found.items[0].questions == ("New one?",)


def test_unreadable_records_are_counted(tmp_path: Path) -> None:
    """A broken line and a record without a question are no items and are counted; numbers follow the records."""
    path = tmp_path / "set.jsonl"
    path.write_bytes(
        orjson.dumps({"question": Q}) + b"\n{broken\n" + b'{"question": null}\n' + orjson.dumps({"question": "Z?"})
    )
    found, _ = read_benchmarks((benchmark(path),))
    assert [(item.number, item.line) for item in found.items] == [(1, 1), (3, 4)]
    assert found.unreadable == 2


ERRORS: dict[str, tuple[bytes | None, dict[str, Any], str]] = {
    "missing": (None, {}, r"`against`: .*set\.jsonl: no such file"),
    "empty": (b"", {}, r"'set' .* holds no question that could be read \(0 unreadable records\)"),
    "no question": (b'{"x": 1, "y": 2}\n', {}, r"no question was found in .*'set'.* columns are 'x', 'y'\. Say which"),
    "no such column": (b'{"x": "a"}\n', {"columns": {"question": "q"}}, r"'set' .* has no column 'q' for its question; it has 'x'"),
    "broken": (b"{\n", {}, r"holds no question that could be read \(1 unreadable records\)"),
    "utterances": (b'{"call_id": 1, "role": "a", "text": "b"}\n', {}, r"table of utterances; say which .*question: text"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_sets_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    """A set that is missing, empty or of no known shape is an error that says which, why and what to do."""
    data, more, message = ERRORS[name]
    if data is not None:
        (tmp_path / "set.jsonl").write_bytes(data)
    with pytest.raises(StageError, match=message):
        read_benchmarks((benchmark(tmp_path / "set.jsonl", **more),))


def test_two_sets_of_one_name_are_an_error(tmp_path: Path) -> None:
    """Names tell sets apart in the ledger."""
    path = write(tmp_path / "set.jsonl", {"question": Q})
    with pytest.raises(StageError, match="two evaluation sets are named 'set'; give one of them another `name:`"):
        read_benchmarks((benchmark(path), benchmark(path)))


def test_names_of_sets() -> None:
    """A set is called after its file without endings, or its folder."""
    names = {
        "a/mmlu.jsonl": "mmlu",
        "x/test.parquet": "test",
        "d/set.jsonl.gz": "set",
        "a/gsm8k/": "gsm8k",
        "v1.5": "v1",
    }
    assert {path: stem(path) for path in names} == names


def test_options_need_a_run_of_labels() -> None:
    """Labels count only as A, B …, in lines or in one; a lone letter is part of the question."""
    assert split_options("Pick. (A) one (B) two") == ("Pick.", ("one", "two"))
    assert split_options("选哪个？A.一 B.二") == ("选哪个？", ("一", "二"))
    assert split_options("Who was A. Lincoln?") == ("Who was A. Lincoln?", ())
    assert split_options("Plan B: go home") == ("Plan B: go home", ())
