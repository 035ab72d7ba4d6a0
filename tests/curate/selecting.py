"""Selects for tests: a stage run over rows in a folder of its own, as a recipe runs it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from curate.executors.serial import SerialExecutor
from curate.stage import Select
from curate.steps.select import run_select
from curate.store import Artifact, BasePart, RowsView, read_frame, write_frame


def select_lines(stage: Select, *parts: pl.DataFrame) -> pl.DataFrame:
    """Returns the ledger of a Select over some parts of rows, one below the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [BasePart(folder, f"part-{i}") for i in range(len(parts))]
        for part, rows in zip(made, parts, strict=True):
            write_frame(folder / f"{part.name}.arrow", rows)
        artifact = Artifact(folder / "out")
        total = sum(rows.height for rows in parts)
        list(run_select(stage, RowsView(tuple(made)), total, artifact, b"{}", SerialExecutor()))
        return pl.concat([read_frame(artifact.part(i, "ledger")) for i in range(len(parts))])
