"""`train grid` with halving: short runs are kept in the matrix at their rung, and teach the law of the long ones."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.curate.small import Small
from tests.train.grid.test_command import grid_file, run_grid
from train.grid.command import TABLE

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",
    "ignore::optuna.exceptions.ExperimentalWarning",
)


def test_halving_judges_every_mixture_it_ran(small: Small, model_folder: Path, tmp_path: Path) -> None:
    """Six mixtures for a third of the steps, two of them to the end; the verdict's law is fitted to all six."""
    halving = {"name": "halving", "trials": 6, "rungs": 2}
    ended, _ = run_grid(grid_file(small, model_folder, tmp_path, strategy=halving, noise_seeds=3))
    runs = pl.read_parquet(ended.folder / TABLE).unique("key").filter(pl.col("name") != "base")
    short, whole = (runs.filter(pl.col("rung") == rung) for rung in ("1/3", "1"))
    assert short.height == 6
    searched = set(short["name"]) & set(whole["name"])
    assert len(searched) == 2
    assert whole["steps"].max() > 2 * short["steps"].max()
    learned = {tuple(round(share, 6) for share in row) for row in ended.verdict.law.mixtures.tolist()}
    shares = runs.filter(pl.col("name").is_in(short["name"].to_list()))["key"]
    ran = pl.read_parquet(ended.folder / TABLE).filter(pl.col("key").is_in(shares.to_list())).sort("ability")
    mixtures = {tuple(round(share, 6) for share in part["share"]) for part in ran.partition_by("key")}
    assert mixtures <= learned
