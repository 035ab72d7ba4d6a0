"""The whole command killed at random, alone and in a crew: the same table, mix and set of trials in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.curate.small import ROOT, Small
from tests.train.grid.test_command import grid_file, run_grid
from train.grid.board import Board
from train.grid.command import BEST, NAME, TABLE
from train.grid.matrix import TRIALS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",
        "ignore::optuna.exceptions.ExperimentalWarning",
    ),
]
STRATEGY = {"name": "adaptive", "trials": 4, "first": 2, "batch": 2}
PATIENCE = 1800
SPACE = {"levels": [1, "1/2", "1/4"]}


@contextmanager
def started(path: Path, workers: int = 1) -> Iterator[subprocess.Popen[str]]:
    """Starts the command in a group of processes of its own, which ends with the block."""
    command = [sys.executable, "-m", "train.cli", "grid", str(path), "--workers", str(workers), "--threads", "1"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def trials(folder: Path) -> int:
    """Returns how many trials are finished."""
    return len(list((folder / TRIALS).glob("*.parquet")))


def wait_for(folder: Path, process: subprocess.Popen[str], more: int) -> None:
    """Waits until the folder holds some more trials, or the process ends."""
    wanted = trials(folder) + more
    while trials(folder) < wanted and process.poll() is None:
        time.sleep(0.02)


def table(folder: Path) -> pl.DataFrame:
    """Returns the final table without what the clock decides."""
    return pl.read_parquet(folder / TABLE).drop("seconds")


def runs(folder: Path) -> Counter[str]:
    """Returns how often each trial came to its end."""
    told = Board(folder, NAME).study.trials
    return Counter(str(trial.user_attrs["key"]) for trial in told if trial.state.name == "COMPLETE")


@pytest.fixture(scope="module")
def whole(small: Small, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    run_grid(grid_file(small, model_folder, folder, strategy=STRATEGY, space=SPACE))
    return folder / "found"


def test_a_search_killed_again_and_again_ends_in_the_same_table(
    whole: Path, small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """Four kills at random places, then left alone: same table, same mix, every trial once."""
    path, found = grid_file(small, model_folder, tmp_path, strategy=STRATEGY, space=SPACE), tmp_path / "found"
    random = np.random.default_rng()
    for _ in range(4):
        with started(path) as process:
            wait_for(found, process, int(random.integers(1, 4)))
            time.sleep(float(random.uniform(0, 1)))
    with started(path) as process:
        _, said = process.communicate(timeout=PATIENCE)
    assert_frame_equal(table(found), table(whole))
    assert (found / BEST).read_bytes() == (whole / BEST).read_bytes(), said
    assert set(runs(found).values()) == {1}


def test_a_crew_that_loses_a_worker_ends_in_the_same_table(
    whole: Path, small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """Two workers share the search and one is killed: it is told, the other takes over, no trial is run twice."""
    path, found = grid_file(small, model_folder, tmp_path, strategy=STRATEGY, space=SPACE), tmp_path / "found"
    with started(path, workers=2) as process:
        wait_for(found, process, 5)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        printed, said = process.communicate(timeout=PATIENCE)
    assert len(children) == 2
    assert process.returncode == 0
    assert "[1] ended with signal 9" in said
    assert {line[:3] for line in said.splitlines()} == {"[1]", "[2]"}
    assert "runs," in printed
    assert_frame_equal(table(found), table(whole))
    assert (found / BEST).read_bytes() == (whole / BEST).read_bytes()
    assert set(runs(found).values()) == {1}
