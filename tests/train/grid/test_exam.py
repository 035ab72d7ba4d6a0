"""Tests read from JSON Lines: every way to write an item, and what is said of one that is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.errors import TrainError
from tests.curate.small import ROOT, jsonl
from train.grid.exam import check_names, read_exams

OPTIONS = ["one day", "two days", "a week"]


def read(folder: Path, *records: Any) -> tuple[tuple[str, ...], ...]:
    """Returns the options of each item of a file."""
    (exam,) = read_exams({"exam": str(jsonl(folder / "exam.jsonl", *records))})
    return tuple(item.options for item in exam.items)


@pytest.mark.parametrize(
    "item",
    [
        {"choices": OPTIONS, "answer": 1},
        {"options": OPTIONS, "answer": "two days"},
        {"options": OPTIONS, "answer": "B"},
        {"choices": {"A": "one day", "B": "two days", "C": "a week"}, "answer": " b"},
        {"A": "one day", "B": "two days", "C": "a week", "D": None, "answer": "B"},
    ],
)
def test_an_item_may_be_written_in_several_ways(item: dict[str, Any], tmp_path: Path) -> None:
    """The right option comes first, the others in the order of their text."""
    assert read(tmp_path, {"question": "How long?", **item}) == (("two days", "a week", "one day"),)


def test_the_sample_test_is_read() -> None:
    """Eighty questions of four options, in two languages."""
    (exam,) = read_exams({"service_mc": str(ROOT / "data_samples/eval/service_mc.jsonl")})
    assert [len(item.options) for item in exam.items] == [4] * 80
    assert exam.items[0].options[0] == "24 小时"


def test_blank_lines_and_a_byte_order_mark_are_no_items(tmp_path: Path) -> None:
    """Lines keep the numbers an editor shows."""
    path = tmp_path / "exam.jsonl"
    path.write_bytes(b'\xef\xbb\xbf\n{"question": "q", "choices": ["x", "y"], "answer": 0}\r\n\n')
    (exam,) = read_exams({"exam": str(path)})
    assert [item.line for item in exam.items] == [2]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"{no json", "exam.jsonl:2: no JSON"),
        ([1], "exam.jsonl:2: no question"),
        ({"choices": OPTIONS, "answer": 0}, "exam.jsonl:2: 'question' is missing"),
        ({"question": "q", "answer": 0}, "exam.jsonl:2: two options or more"),
        ({"question": "q", "choices": ["x", " "], "answer": 0}, "exam.jsonl:2: two options or more"),
        ({"question": "q", "A": "x", "C": "y", "answer": "C"}, "exam.jsonl:2: two options or more"),
        ({"question": "q", "choices": ["x", "x"], "answer": 0}, "exam.jsonl:2: two options are the same"),
        ({"question": "q", "choices": OPTIONS, "answer": 3}, "exam.jsonl:2: 'answer' 3 is none .* from 0 to 2"),
        ({"question": "q", "choices": OPTIONS, "answer": True}, "exam.jsonl:2: 'answer' True is none"),
        ({"question": "q", "choices": OPTIONS, "answer": "D"}, "exam.jsonl:2: 'answer' 'D' is none"),
        ({"question": "q", "choices": OPTIONS}, "exam.jsonl:2: 'answer' None is none"),
        (
            {"question": "q", "choices": ["B", "A"], "answer": "A"},
            "exam.jsonl:2: 'answer' 'A' may be a letter or a text",
        ),
    ],
)
def test_an_item_that_is_none_is_told_with_its_line(record: Any, message: str, tmp_path: Path) -> None:
    """And with what to write instead."""
    good = {"question": "q", "choices": OPTIONS, "answer": 0}
    with pytest.raises(TrainError, match=message):
        read(tmp_path, good, record)


def test_a_file_that_is_missing_or_empty_is_told(tmp_path: Path) -> None:
    """By the test's name and the path."""
    with pytest.raises(TrainError, match=r"tests: exam: can't read .*nowhere.jsonl \(No such file"):
        read_exams({"exam": str(tmp_path / "nowhere.jsonl")})
    with pytest.raises(TrainError, match="holds no question; write one a line"):
        read(tmp_path)


def test_a_test_may_not_be_named_like_an_ability(tmp_path: Path) -> None:
    """A name means one column."""
    item = {"question": "q", "choices": OPTIONS, "answer": 0}
    exams = read_exams({"copy": str(jsonl(tmp_path / "exam.jsonl", item))})
    with pytest.raises(TrainError, match="'copy' is an ability of the pool too; give the test another name"):
        check_names(exams, ("copy", "count"))
    check_names(exams, ("count",))
