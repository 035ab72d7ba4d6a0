"""Grades on disk: beside trials of any age, filed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from train.grid.choices import Grade
from train.grid.grades import add_grades, read_grade, write_grade
from train.grid.matrix import SCHEMA, read_trials, write_trial


def trial(key: str, ability: str) -> dict[str, Any]:
    """Returns a row of a trial as versions without tests wrote it."""
    empty = {name: 0 if dtype.is_numeric() else "" for name, dtype in SCHEMA.items()}
    return {**empty, "key": key, "ability": ability, "loss": 1.5}


def test_a_grade_is_filed_once(tmp_path: Path) -> None:
    """What is there stays; a trial that was not measured has none."""
    first = Grade(1.25, 0.4, 20)
    write_grade(tmp_path, "k", "d", first)
    write_grade(tmp_path, "k", "d", Grade(9.0, 0.0, 20))
    assert read_grade(tmp_path, "k", "d") == first
    assert read_grade(tmp_path, "k", "e") is None
    assert read_grade(tmp_path, "l", "d") is None


def test_trials_of_searches_without_tests_stay_readable(tmp_path: Path) -> None:
    """They have the columns they had; with a test's rows beside them, they are of kind validation."""
    for key in ("k", "l"):
        write_trial(tmp_path, [trial(key, "copy"), trial(key, "count")])
    rows = read_trials(tmp_path)
    assert rows.schema == SCHEMA
    assert add_grades(rows, tmp_path, {}) is rows
    write_grade(tmp_path, "k", "d", Grade(1.25, 0.4, 20))
    found = add_grades(rows, tmp_path, {"exam": "d"})
    assert found.filter(pl.col("kind") == "validation").select(rows.columns).equals(rows)
    assert found.filter(pl.col("kind") == "test").select("key", "ability", "validation", "loss", "accuracy").rows() == [
        ("k", "exam", "d", 1.25, 0.4)
    ]
