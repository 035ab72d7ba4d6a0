"""Select steps: rows compared across parts and buckets, protected and unseen rows left alone, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.building import MARK
from curate.executors.serial import SerialExecutor
from curate.recipe import build_stage
from curate.stage import Select
from curate.steps.select import job, pieces, run_select
from curate.steps.select.job import SURVEYED, surveyed
from curate.store import Artifact, BasePart, RowsView, read_frame, write_frame
from tests.curate.row_maker import rows_of

PARTS = ["abca", "bdd", "", "aeb"]


def view_of(folder: Path, parts: list[str] = PARTS) -> tuple[RowsView, list[str]]:
    """Returns a view of documents, a letter each, sources alternating, and the ids in order."""
    made, ids = [], []
    for number, letters in enumerate(parts):
        rows = rows_of(*({"kind": "text", "text": letter, "source": "xy"[i % 2]} for i, letter in enumerate(letters)))
        names = [f"{number:016x}{i:016x}" for i in range(rows.height)]
        write_frame(folder / f"part-{number}.arrow", rows.with_columns(id=pl.Series(names, dtype=pl.String)))
        made.append(BasePart(folder, f"part-{number}"))
        ids += names
    return RowsView(tuple(made)), ids


def run(stage: Any, view: RowsView, folder: Path, rows: int = 10) -> list[dict[str, Any]]:
    """Runs the stage and returns its ledger, part by part."""
    artifact = Artifact(folder)
    assert isinstance(stage, Select)
    assert len(list(run_select(stage, view, rows, artifact, b"{}", SerialExecutor()))) == pieces(stage, view, rows)
    lines = [read_frame(artifact.part(i, "ledger")).with_columns(part=i) for i in range(len(view))]
    return pl.concat(lines).to_dicts()


def kept(ids: list[str], ledger: list[dict[str, Any]]) -> str:
    """Returns the letters of the rows that stayed."""
    gone = {line["id"] for line in ledger}
    return "".join(letter for letter, name in zip("".join(PARTS), ids, strict=True) if name not in gone)


def test_repeats_in_other_parts_are_found(tmp_path: Path) -> None:
    """The first of each stays, in whatever part the others are; each line names the row kept instead."""
    view, ids = view_of(tmp_path / "in")
    ledger = run(build_stage("exact_dedup", {}), view, tmp_path / "out")
    assert kept(ids, ledger) == "abcde"
    places = {(line["part"], line["row"]): line["other_id"] for line in ledger}
    assert places == {(0, 3): ids[0], (1, 0): ids[1], (1, 2): ids[5], (3, 0): ids[0], (3, 2): ids[1]}


@pytest.mark.parametrize("bucket", [1, 2, 5])
def test_the_number_of_buckets_does_not_count(tmp_path: Path, bucket: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bucket or ten give the same ledger."""
    view, _ = view_of(tmp_path / "in")
    whole = run(build_stage("exact_dedup", {}), view, tmp_path / "whole")
    monkeypatch.setattr(job, "ROWS_PER_BUCKET", bucket)
    assert run(build_stage("exact_dedup", {}), view, tmp_path / "cut") == whole


def test_protected_rows_are_never_dropped(tmp_path: Path) -> None:
    """Rows of a protected source stay, and their copies elsewhere go instead."""
    view, ids = view_of(tmp_path / "in")
    ledger = run(build_stage("exact_dedup", {"protect": {"source": ["y"]}}), view, tmp_path / "out")
    gone = {line["id"]: line["other_id"] for line in ledger}
    assert gone == {ids[0]: ids[3], ids[4]: ids[1], ids[6]: ids[5], ids[7]: ids[3], ids[9]: ids[1]}


def test_rows_outside_only_are_not_compared(tmp_path: Path) -> None:
    """With `only`, copies in other sources neither go nor count."""
    view, ids = view_of(tmp_path / "in")
    ledger = run(build_stage("exact_dedup", {"only": {"source": ["x"]}}), view, tmp_path / "out")
    assert {line["id"] for line in ledger} == {ids[7], ids[9]}


class Dies(SerialExecutor):
    """Works a number of items, then dies."""

    def __init__(self, items: int) -> None:
        self.left = items

    def map(
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, cpus: int = 1, gpus: int = 0
    ) -> Iterator[tuple[int, Any]]:
        """Yields results until it dies."""
        for result in super().map(fn, items):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            yield result


@pytest.mark.parametrize("items", range(9))
def test_a_stopped_select_goes_on(tmp_path: Path, items: int) -> None:
    """Stopped after any piece of work and run again: the same ledger, and no sketch is left behind."""
    view, _ = view_of(tmp_path / "in")
    stage = build_stage("exact_dedup", {})
    assert isinstance(stage, Select)
    with pytest.raises(KeyboardInterrupt):
        list(run_select(stage, view, 10, Artifact(tmp_path / "out"), b"{}", Dies(items)))
    assert run(stage, view, tmp_path / "out") == run(stage, view, tmp_path / "again")
    left = sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != MARK)
    assert left == ["clusters.jsonl", "counts", "ledger", "step.json"]


def test_no_parts_at_all(tmp_path: Path) -> None:
    """A view without parts is done at once."""
    artifact = Artifact(tmp_path / "out")
    stage = build_stage("exact_dedup", {})
    assert isinstance(stage, Select)
    assert list(run_select(stage, RowsView(()), 0, artifact, b"{}", SerialExecutor())) == []
    assert artifact.meta["counts"]["rows_in"] == 0


def test_a_source_of_many_parts_is_surveyed_in_some(tmp_path: Path) -> None:
    """Evenly spaced ones; of a source with few parts in all, wherever it stands."""
    many = [BasePart(tmp_path / "many", f"part-{number}") for number in range(40)]
    few = [BasePart(tmp_path / "few", f"part-{number}") for number in range(3)]
    found = surveyed(RowsView((*few, *many)))
    assert found[:3] == [0, 1, 2]
    assert len(found) == 3 + SURVEYED
    assert set(np.diff(found[3:])) == {2, 3}
    assert found[3] == 3
