"""Comparison: the parts of a stage that compares rows, run one after the other outside of a recipe."""

from __future__ import annotations

from pathlib import Path

from curate.executors import Executor
from curate.stage import RowLocal, Select, Stage
from curate.steps.select import run_select
from curate.steps.transform import Transform, run_pass
from curate.store import Artifact, RowsView


def run_comparison(stages: tuple[Stage, ...], view: RowsView, rows: int, folder: Path, executor: Executor) -> Artifact:
    """Runs row-local stages and the Selects after them, a folder each; returns the last one's artifact."""
    artifact = before = Artifact(folder)
    for number, stage in enumerate(stages):
        before, artifact = artifact, Artifact(folder / str(number))
        if isinstance(stage, Select):
            found_by = before if stage.phase == "decide" else None
            for _ in run_select(stage, view, rows, artifact, b"{}", executor, found_by):
                pass
        else:
            assert isinstance(stage, RowLocal)
            for _ in run_pass([Transform(stage, artifact, b"{}")], view, executor):
                pass
        view = view.through(artifact.folder)
    return artifact
