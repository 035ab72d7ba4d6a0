"""Selects that find and decide: cells, strips and parts change nothing that matters, and a killed one goes on."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.executors.serial import SerialExecutor
from curate.nearest import cells
from curate.stages.dedup.semantic_dedup import SemanticDedup
from curate.steps.comparison import run_comparison
from curate.steps.select import finding
from curate.store import BasePart, RowsView, read_frame, write_frame
from tests.curate.row_maker import rows_of
from tests.curate.steps.test_select import Dies

WORDS = [
    "red",
    "green",
    "blue",
    "small",
    "large",
    "old",
    "young",
    "quick",
    "slow",
    "bird",
    "horse",
    "house",
    "river",
    "lake",
    "boat",
    "train",
    "bread",
    "milk",
    "shoe",
    "coat",
]


def view_of(folder: Path, texts: list[str], parts: int = 3) -> tuple[RowsView, int]:
    """Returns a view of documents over some parts."""
    rows = rows_of(*({"kind": "text", "text": text} for text in texts))
    size = -(-rows.height // parts)
    made = []
    for part in range(parts):
        write_frame(folder / f"part-{part}.arrow", rows[part * size : (part + 1) * size])
        made.append(BasePart(folder, f"part-{part}"))
    return RowsView(tuple(made)), rows.height


def texts(count: int) -> list[str]:
    """Returns texts of seven words, in groups of ten that share six."""
    rng = random.Random(3)
    groups = [rng.sample(WORDS, 6) for _ in range(-(-count // 10))]
    return [" ".join([*groups[i // 10], rng.choice(WORDS)]) for i in range(count)]


def run(folder: Path, view: RowsView, rows: int, executor: Any) -> dict[str, bytes]:
    """Runs the stage in a folder; returns all it left, by name."""
    stage = SemanticDedup(threshold=0.85)
    run_comparison(stage.parts(), view, rows, folder, executor)
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("items", [0, 2, 3, 5, 8, 10, 12, 13, 14, 16, 18, 20, 23, 26])
def test_stopped_anywhere_and_run_again_gives_the_same_bytes(
    tmp_path: Path, items: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after any piece of work, with several cells and strips, and run again: the same files."""
    monkeypatch.setattr(cells, "ALL_PAIRS", 50)
    monkeypatch.setattr(cells, "ROWS_PER_CELL", 30)
    monkeypatch.setattr(finding, "ROWS_PER_STRIP", 40)
    view, rows = view_of(tmp_path / "in", texts(100))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", view, rows, Dies(items))
    assert run(tmp_path / "out", view, rows, SerialExecutor()) == run(tmp_path / "whole", view, rows, SerialExecutor())


def test_strips_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One strip or many leave the same pairs and the same ledger."""
    view, rows = view_of(tmp_path / "in", texts(200))
    whole = run(tmp_path / "whole", view, rows, SerialExecutor())
    monkeypatch.setattr(finding, "ROWS_PER_STRIP", 7)
    cut = run(tmp_path / "cut", view, rows, SerialExecutor())
    assert {k: v for k, v in cut.items() if "step.json" not in k} == {
        k: v for k, v in whole.items() if "step.json" not in k
    }


def test_cells_find_nearly_all_that_one_cell_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows spread over cells: a pair has the same cosine, and at least 95 % of these are found."""
    view, rows = view_of(tmp_path / "in", texts(600))

    def pairs(name: str) -> set[tuple[int, int]]:
        run(tmp_path / name, view, rows, SerialExecutor())
        return set(read_frame(tmp_path / name / "1" / finding.PAIRS).iter_rows())

    whole = pairs("whole")
    monkeypatch.setattr(cells, "ALL_PAIRS", 50)
    monkeypatch.setattr(cells, "ROWS_PER_CELL", 60)
    spread = pairs("spread")
    assert len(whole) > 1000
    assert len(spread & whole) >= 0.95 * len(whole)
    scores = dict(whole)
    assert all(scores.get(pair, score) == score for pair, score in spread)


def test_crowded_cells_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a cell has more rows than are looked at, the pairs left out are counted in what the step wrote down."""
    monkeypatch.setattr(finding, "LEADERS", 20)
    view, rows = view_of(tmp_path / "in", texts(100))
    run(tmp_path / "out", view, rows, SerialExecutor())
    step = pl.read_json(tmp_path / "out" / "1" / "step.json")
    found = step["select"][0]
    assert found["rows"] == 100
    assert found["not_compared"] > 0
