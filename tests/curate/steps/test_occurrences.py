"""Occurrences: rows of equal content get ids of their own, wherever the files are cut."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.executors.serial import SerialExecutor
from curate.rows import row_hash
from curate.steps import occurrences
from curate.steps.occurrences import number_occurrences
from curate.store import BasePart, write_frame
from tests.curate.row_maker import rows_of

HASHES = {letter: row_hash(letter) for letter in "abcd"}


def numbered(folder: Path, parts: list[str]) -> tuple[list[list[str]], int]:
    """Returns the ids of each part, contents given as letters, and the number of repeats."""
    for number, letters in enumerate(parts):
        rows = rows_of(*({"kind": "text", "text": c} for c in letters))
        ids = pl.Series([HASHES[c] for c in letters], dtype=pl.String)
        write_frame(folder / f"part-{number}.arrow", rows.with_columns(id=ids, group=pl.lit(None, dtype=pl.String)))
    names = [f"part-{n}" for n in range(len(parts))]
    repeats = number_occurrences(folder, names, sum(map(len, parts)), SerialExecutor())
    return [BasePart(folder, name).read()["id"].to_list() for name in names], repeats


@given(st.lists(st.text("abcd", max_size=5), max_size=4))
def test_ids_are_unique_and_the_cut_does_not_count(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    """Every row has its own id; the first of a content keeps the content's hash; one part or many, ids are the same."""
    folder = tmp_path_factory.mktemp("cut")
    found, repeats = numbered(folder, parts)
    flat = [name for part in found for name in part]
    assert len(set(flat)) == len(flat)
    letters = "".join(parts)
    assert {HASHES[c] for c in letters} <= set(flat)
    assert repeats == len(letters) - len(set(letters))
    joined, _ = numbered(tmp_path_factory.mktemp("whole"), [letters])
    assert joined[0] == flat


@pytest.mark.parametrize(("rows", "together"), [(2, 1), (2, 2), (3, 64)])
def test_slices_of_the_hash_space_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, together: int
) -> None:
    """Counting slice by slice, parts dealt one by one or together, changes no id."""
    parts = ["abcab", "dda", "a"]
    whole = numbered(tmp_path / "whole", parts)
    monkeypatch.setattr(occurrences, "ROWS_PER_SLICE", rows)
    monkeypatch.setattr(occurrences, "TOGETHER", together)
    assert numbered(tmp_path / "sliced", parts) == whole
    assert whole[0][2] == [row_hash(HASHES["a"], "3")]


def test_each_row_is_a_group_of_its_own(tmp_path: Path) -> None:
    """A repeat's group is its own id, not that of the first."""
    numbered(tmp_path, ["aa"])
    rows = BasePart(tmp_path, "part-0").read()
    assert rows["group"].to_list() == rows["id"].to_list()
