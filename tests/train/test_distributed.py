"""One process and two give the same run: same batches, same losses, and a checkpoint of one goes on with two."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from train.config import TrainConfig
from train.sft import run_sft

ROOT = Path(__file__).parents[2]
WORKER = """
import json, sys
from pathlib import Path
from curate.errors import TrainError
from train.config import TrainConfig
from train.sft import run_sft
*runs, last = json.loads(sys.argv[1])
for run in runs:
    run_sft(TrainConfig.model_validate(run["config"]), Path(run["data"]), Path(run["out"]), resume=run["resume"])
try:
    run_sft(TrainConfig.model_validate(last["config"]), Path(last["data"]), Path(last["out"]))
except TrainError as error:
    Path(last["out"]).with_suffix(".refused").write_text(str(error))
"""


def settings(model: Path, batch: int) -> dict[str, object]:
    """Returns a short run's config as plain data."""
    steps = {"max_steps": 4, "eval_steps": 2, "save_steps": 2}
    return {"model": str(model), "global_batch": batch, "lr": 1e-2, **steps}


def numbers(folder: Path) -> list[dict[str, float]]:
    """Returns the lines of metrics.jsonl without the times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "train_runtime" not in line]


@pytest.fixture(scope="module")
def runs(shards: Path, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs with one process here, then the same with two under torchrun, all in one folder."""
    root = tmp_path_factory.mktemp("runs")
    for batch in (2, 8):
        run_sft(TrainConfig.model_validate(settings(model_folder, batch)), shards, root / f"one-{batch}")
    shutil.copytree(root / "one-2", root / "grown", ignore=shutil.ignore_patterns("checkpoint-4", "result.json"))
    wanted = [(2, "two-2", False), (8, "two-8", False), (2, "grown", True)]
    jobs: list[dict[str, Any]] = [
        {"config": settings(model_folder, batch), "data": str(shards), "out": str(root / name), "resume": resume}
        for batch, name, resume in wanted
    ]
    jobs.append({**jobs[0], "config": {**jobs[0]["config"], "fsdp": True}, "out": str(root / "fsdp")})
    (root / "worker.py").write_text(WORKER)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, str(root / "worker.py"), json.dumps(jobs)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return root


def test_two_processes_repeat_one_to_the_bit(runs: Path) -> None:
    """With one micro-batch a process, losses, gradient norms and validation of two processes are those of one."""
    assert numbers(runs / "two-2") == numbers(runs / "one-2")


def test_two_processes_with_accumulation_agree_to_rounding(runs: Path) -> None:
    """Where gradients are summed in another order, every number agrees within 1e-5, losses within 1e-6."""
    for one, two in zip(numbers(runs / "one-8")[1:], numbers(runs / "two-8")[1:], strict=True):
        assert one.keys() == two.keys()
        for name, value in one.items():
            assert two[name] == pytest.approx(value, rel=1e-6 if "loss" in name else 1e-5)


def test_a_checkpoint_of_one_process_goes_on_with_two(runs: Path) -> None:
    """Resumed at step 2 with twice the processes, the run ends in the numbers of the uninterrupted one."""
    assert numbers(runs / "grown") == numbers(runs / "one-2")
    assert json.loads((runs / "grown" / "result.json").read_text())["processes"] == 2


def test_fsdp_that_would_be_ignored_is_refused(runs: Path) -> None:
    """On CPUs accelerate drops FSDP without a word; the run stops before its first step."""
    assert "no parameter is sharded" in (runs / "fsdp.refused").read_text()
    assert not (runs / "fsdp" / "model").exists()
