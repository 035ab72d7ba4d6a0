"""Selects for tests: a stage run over rows in a folder of its own, as a recipe runs it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from curate.executors.serial import SerialExecutor
from curate.stage import Composite, Stage
from curate.steps.comparison import run_comparison
from curate.store import BasePart, RowsView, read_frame, write_frame


def select_lines(stage: Stage, *parts: pl.DataFrame) -> pl.DataFrame:
    """Returns the ledger of a Select, or of a composite that ends in one, over some parts of rows, one below the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [BasePart(folder, f"part-{i}") for i in range(len(parts))]
        for part, rows in zip(made, parts, strict=True):
            write_frame(folder / f"{part.name}.arrow", rows)
        total = sum(rows.height for rows in parts)
        stages = stage.parts() if isinstance(stage, Composite) else (stage,)
        artifact = run_comparison(stages, RowsView(tuple(made)), total, folder / "out", SerialExecutor())
        return pl.concat([read_frame(artifact.part(i, "ledger")) for i in range(len(parts))])
