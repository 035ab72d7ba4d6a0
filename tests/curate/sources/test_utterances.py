"""Utterance tables become dialogues, and every line is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curate.sources import UTTERANCE_SCHEMA, SourceSpec, group_utterances

SAID = [
    ("c1", "10:05:00", "坐席", "您好", "甲"),
    ("c2", "9:00", "客户", "喂", "乙"),
    ("c1", "9:58:01", "客户", "喂", "甲"),
    ("c1", "10:05:30", "坐席", "请问", "甲"),
    ("c2", "9:01", "坐席", "请讲", "乙"),
    ("c1", "10:06:00", "客户", "查话费", "丙"),
]


def _table(path: Path, said: list[tuple[str, ...]], names: str = "call_id,time,speaker,text,agent") -> str:
    pl.DataFrame(said, schema=names.split(","), orient="row").write_csv(path)
    return str(path)


def test_dialogues(load: Any, tmp_path: Path) -> None:
    """Lines are gathered by call, ordered by time, neighbours of one speaker joined; other columns go to meta."""
    got = load(path=_table(tmp_path / "a.csv", SAID), profile=["agent"])
    assert got.shape.format == "utterances"
    assert got.messages(0) == [
        {"role": "user", "content": "喂"},
        {"role": "assistant", "content": "您好\n请问"},
        {"role": "user", "content": "查话费"},
    ]
    assert got.messages(1) == [{"role": "user", "content": "喂"}, {"role": "assistant", "content": "请讲"}]
    assert got.origin.rows() == [(0, 2, 32, 4), (0, 3, got.origin["offset"][1], 2)]
    assert orjson.loads(got.rows["profile"][1]) == {"agent": "乙"}
    assert orjson.loads(got.rows["meta"][0]) == {"dialogue": "c1"}
    assert got.lines == 6


def test_named_columns_and_roles(load: Any, tmp_path: Path) -> None:
    """`group_by`, `order_by`, `columns` and `roles` say what the names don't."""
    said = [("x", "2", "乙方", "b", "k"), ("x", "10", "甲方", "c", "k"), ("x", "1", "甲方", "a", "k")]
    path = _table(tmp_path / "a.csv", said, "通话,序号,谁,话,agent")
    got = load(
        path=path,
        group_by="通话",
        order_by="序号",
        columns={"role": "谁", "text": "话"},
        roles={"甲方": "user", "乙方": "assistant"},
    )
    assert [(m["role"], m["content"]) for m in got.messages()] == [("user", "a"), ("assistant", "b"), ("user", "c")]


@pytest.mark.parametrize(
    ("orders", "sequence"),
    [
        (["1.5", "1.25", "10"], [1, 0, 2]),
        (["2024-01-02 10:00", "2024-01-02 9:59", "2024-01-01 23:00"], [2, 1, 0]),
        (["t2", "t10", "t1"], [2, 0, 1]),
        ([None, "2", "1"], [2, 1, 0]),
        ([None, None, None], [0, 1, 2]),
    ],
)
def test_order(orders: list[str | None], sequence: list[int]) -> None:
    """Numbers order as numbers, other places by their digit runs, missing places last, ties by line."""
    said = [("c", order, "user" if i % 2 else "gpt", str(i), None, 0, i, None) for i, order in enumerate(orders)]
    frame = pl.DataFrame(said, schema=UTTERANCE_SCHEMA, orient="row")
    batch = group_utterances(SourceSpec.model_validate({"name": "s", "path": "x"}), frame)
    texts = [text for m in batch.rows["messages"][0].to_list() for text in m["content"].split("\n")]
    assert texts == [str(i) for i in sequence]


def test_lines_that_break(load: Any, tmp_path: Path) -> None:
    """Lines without dialogue or text are refused alone; an unknown speaker refuses the whole dialogue."""
    said = [
        ("c1", "1", "客户", "a", ""),
        ("c1", "2", "坐席", " ", ""),
        ("c1", "3", "坐席", "b", ""),
        ("", "1", "坐席", "b", ""),
        ("c2", "1", "客户", "a", ""),
        ("c2", "2", "鬼", "b", ""),
        ("c3", "1", "质检", "x", ""),
        ("c3", "2", "客户", "a", ""),
    ]
    got = load(path=_table(tmp_path / "a.csv", said), roles={"质检": "drop"})
    assert [(bad.line, bad.reason) for bad in got.bad] == [
        (3, "empty_record"),
        (5, "empty_record"),
        (6, "broken_dialogue"),
        (7, "unknown_role"),
        (8, "dropped_role"),
    ]
    assert "鬼" in got.bad[3].detail
    assert orjson.loads(got.bad[3].raw)["text"] == "b"
    assert [[m["content"] for m in row] for row in got.rows["messages"].to_list()] == [["a", "b"], ["a"]]
    assert got.lines == 8


def test_cut_of_the_frame_does_not_matter() -> None:
    """Dialogues gathered bucket by bucket are the dialogues gathered at once, whatever the order of lines."""
    said = [
        (f"c{i % 7}", str(i), "user" if i % 3 else "gpt", f"t{i}", f'{{"k":{i % 7}}}', 0, i + 2, i * 9)
        for i in range(60)
    ]
    frame = pl.DataFrame(said, schema=UTTERANCE_SCHEMA, orient="row")
    spec = SourceSpec.model_validate({"name": "s", "path": "x"})
    whole = group_utterances(spec, frame)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3)
    parts = [group_utterances(spec, part) for part in shuffled.partition_by("key")]
    together = pl.concat([p.rows.hstack(p.origin) for p in parts]).sort("line")
    assert together.rows() == whole.rows.hstack(whole.origin).rows()
    assert group_utterances(spec, frame.clear()).rows.height == 0
