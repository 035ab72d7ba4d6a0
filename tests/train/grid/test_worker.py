"""Workers on one folder: nothing is run twice, what a killed one held is taken over, and the table is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from curate.mixing import Mixing
from curate.mixture import MixSpec
from tests.curate.small import ROOT, Small
from train.grid.board import Board
from train.grid.claims import claim
from train.grid.jobs import Job, Shop
from train.grid.matrix import TRIALS, read_trials
from train.grid.proxy import Proxy
from train.grid.worker import Worker

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",
    "ignore::optuna.exceptions.ExperimentalWarning",
)
WEIGHTS = [{"copy": a, "count": b, "reverse": c} for a, b, c in ((1, 1, 1), (4, 1, 1), (1, 4, 1), (1, 1, 4))]
JOBS = [Job("base", None, Fraction(1), 17)] + [
    Job(f"mix {n}", MixSpec.model_validate({"weights": weights, "budget": 500}), Fraction(1), seed)
    for n, weights in enumerate(WEIGHTS)
    for seed in (17, 18)
]
SCRIPT = """
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import torch
torch.set_num_threads(1)
from curate.mixing import open_mixing
from curate.plan import make_plan
from curate.recipe import load_recipe
from tests.train.grid.conftest import TRAIN
from tests.train.grid.test_worker import JOBS
from train.config import TrainConfig
from train.grid.board import Board
from train.grid.jobs import Shop
from train.grid.proxy import Answers, Proxy
from train.grid.worker import Worker
recipe, model, folder = sys.argv[1:]
mixing = open_mixing(make_plan(load_recipe(Path(recipe))))
proxy = Proxy(TrainConfig.model_validate({"model": model, **TRAIN}), mixing, Answers(2, 16))
Worker(Path(folder), Shop(mixing, proxy), Board(Path(folder), "grid"), lambda text, _: print(text, flush=True)).complete(JOBS)
print("complete", flush=True)
"""


@pytest.fixture(scope="module")
def alone(mixing: Mixing, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one uninterrupted worker."""
    folder = tmp_path_factory.mktemp("alone")
    Worker(folder, Shop(mixing, proxy), Board(folder, "grid")).complete(JOBS)
    return folder


def start(small: Small, model: Path, folder: Path) -> subprocess.Popen[str]:
    """Starts a worker of its own process."""
    command = [sys.executable, "-c", SCRIPT, str(small.write()), str(model), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=small.folder, env=environment)


def table(folder: Path) -> pl.DataFrame:
    """Returns the loss matrix without what the clock decides."""
    return read_trials(folder).drop("seconds")


def test_the_matrix_has_a_row_for_each_mix_ability_and_seed(alone: Path) -> None:
    """The base has no mixture; shares are those of the trained tokens; a trial is one file."""
    rows = read_trials(alone)
    assert rows.height == 3 * len(JOBS) == 3 * len(list((alone / TRIALS).iterdir()))
    base = rows.filter(pl.col("name") == "base")
    assert base["steps"].unique().to_list() == [0]
    assert (rows.filter(pl.col("name") != "base")["loss"] < base["loss"].min()).all()
    copied = rows.filter((pl.col("name") == "mix 1") & (pl.col("ability") == "copy"))
    assert copied["share"].to_list() == pytest.approx([2 / 3] * 2, abs=0.05)
    assert rows["repetition"].is_between(0, 1).all()


def test_finished_trials_are_never_run_again(alone: Path, mixing: Mixing, proxy: Proxy) -> None:
    """A second worker on a finished folder runs nothing; a further mix is all a longer search runs."""
    said: list[str] = []
    worker = Worker(alone, Shop(mixing, proxy), Board(alone, "grid"), lambda text, _: said.append(text))
    keys = worker.complete(JOBS)
    assert (said, len(set(keys))) == ([], len(JOBS))
    again = Job("by another name", JOBS[1].spec, JOBS[1].rung, JOBS[1].seed)
    assert worker.complete([again]) == [keys[1]]
    assert said == []


def test_a_claim_is_held_by_one_and_free_after(tmp_path: Path) -> None:
    """Who comes second is told so."""
    with claim(tmp_path, "k") as mine:
        assert mine
        with claim(tmp_path, "k") as other, claim(tmp_path, "l") as another:
            assert (other, another) == (False, True)
    with claim(tmp_path, "k") as again:
        assert again


def test_two_workers_killed_and_restarted_end_in_the_same_table(
    alone: Path, small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """One of two is killed amid a trial; the other takes it over; no trial is run to its end twice."""
    small.write()
    first, second = (start(small, model_folder, tmp_path) for _ in range(2))
    assert first.stdout is not None
    begun = [first.stdout.readline().strip()]
    time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=60)
    told, _ = second.communicate(timeout=240)
    assert second.returncode == 0
    names = told.split("\n")
    assert "complete" in names
    assert len(set(names)) == len(names)
    assert begun[0]
    assert_frame_equal(table(tmp_path), table(alone))
    board = Board(tmp_path, "grid").study.trials
    done = [trial.user_attrs["key"] for trial in board if trial.state.name == "COMPLETE"]
    assert len(done) == len(set(done)) == len(JOBS)
    assert {trial.state.name for trial in board} <= {"COMPLETE", "FAIL"}
