"""The ray executor on this machine: results by item, errors as they were, the bytes of every other executor."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from curate.errors import CurateError, StageError
from curate.executors.ray import RayExecutor, _settle_in, _Terms
from curate.run import run
from tests.curate.runs import SAMPLES
from tests.curate.small import Small


def square(value: int) -> int:
    """Returns the square, the small ones later."""
    time.sleep(0.01 * (9 - value))
    return value * value


def refuse(value: int) -> int:
    """Refuses one item."""
    if value == 3:
        raise StageError("stage 'x' can't take item 3")
    return value


def stumble(value: int) -> float:
    """Has a bug."""
    return 1 / value


def crash_once(folder: Path) -> str:
    """Ends the worker as the out-of-memory killer would, the first time."""
    if not (folder / "crashed").exists():
        (folder / "crashed").touch()
        os._exit(9)
    return "done"


def surroundings(value: int) -> dict[str, Any]:
    """Returns what a worker is told about threads and GPUs, and where it works."""
    names = ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
    import polars

    return {
        "limits": {os.environ.get(name) for name in names},
        "polars": polars.thread_pool_size(),
        "folder": os.getcwd(),
    }


@pytest.fixture(scope="module")
def executor() -> Iterator[RayExecutor]:
    """Ray with two CPUs."""
    executor = RayExecutor(workers=2)
    yield executor
    executor.close()


def test_results_belong_to_their_items(executor: RayExecutor) -> None:
    """Whatever finishes first, each result comes with the index of its item; no items need no Ray."""
    assert dict(executor.map(square, range(9))) == {i: i * i for i in range(9)}
    assert list(RayExecutor(address="127.0.0.1:1").map(square, [])) == []


def test_errors_come_through_as_they_were(executor: RayExecutor) -> None:
    """A CurateError is raised with its type and words alone; the executor goes on being of use."""
    with pytest.raises(StageError, match=r"^stage 'x' can't take item 3$") as caught:
        list(executor.map(refuse, range(8)))
    assert caught.value.__cause__ is None
    assert dict(executor.map(refuse, [1, 2])) == {0: 1, 1: 2}


def test_a_bug_keeps_its_traceback(executor: RayExecutor) -> None:
    """Any other exception keeps its type, and tells the line of the worker it came from."""
    with pytest.raises(ZeroDivisionError) as caught:
        list(executor.map(stumble, [0]))
    assert "return 1 / value" in "".join(traceback.format_exception(caught.value))


def test_a_map_that_is_left_can_be_followed_by_another(executor: RayExecutor) -> None:
    """Not taking all results does no harm."""
    next(iter(executor.map(square, range(9))))
    assert dict(executor.map(square, [2])) == {0: 4}


def test_an_item_whose_worker_died_is_given_to_another(executor: RayExecutor, tmp_path: Path) -> None:
    """A killed worker costs a retry, not the run."""
    assert list(executor.map(crash_once, [tmp_path])) == [(0, "done")]


def test_workers_use_one_thread_in_the_same_folder(executor: RayExecutor) -> None:
    """Libraries in workers are capped at one thread, and relative paths mean the same."""
    for _, found in executor.map(surroundings, range(4)):
        assert found == {"limits": {"1"}, "polars": 1, "folder": os.getcwd()}


def test_a_wish_for_gpus_is_none_where_there_are_none(executor: RayExecutor) -> None:
    """An item that can use a GPU runs on a CPU when no node has one."""
    assert dict(executor.map(square, [3], gpus=1)) == {0: 9}


def test_a_run_gives_the_bytes_of_every_executor(executor: RayExecutor, tmp_path: Path) -> None:
    """Row-local stages, a Select and the pool over Ray: the same output as in one process."""
    outputs = []
    for name in ("serial", "ray"):
        (tmp_path / name).mkdir()
        stages = ["validate_chat", "exact_dedup", {"length": {"max_chars": 4000}}]
        small = Small(tmp_path / name, {}, tokenizer=str(SAMPLES / "tokenizer"), stages=stages)
        calls = {
            "group_by": "call_id",
            "order_by": "time",
            "roles": {"坐席": "assistant", "客户": "user", "系统": "drop"},
        }
        small.recipe["sources"] = [{"name": "calls", "path": str(SAMPLES / "calls/calls.csv"), **calls}]
        if name == "serial":
            small.run()
        else:
            list(run(small.plan(), _Kept(executor)))
        files = sorted(p for p in small.out.rglob("*") if p.is_file())
        outputs.append({str(p.relative_to(small.out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files})
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 10


class _Kept:
    """An executor that a run may close while other tests still use it."""

    def __init__(self, executor: RayExecutor) -> None:
        self.map = executor.map

    def close(self) -> None:
        """Leaves it open."""


def test_a_node_that_is_not_fit_says_why(tmp_path: Path) -> None:
    """Other software, another working folder, another store: each is told with the node and what to do."""
    before, limits = os.getcwd(), dict(os.environ)
    theirs = (("numpy", "0.1"),)
    seen = tmp_path / "seen"
    try:
        with pytest.raises(CurateError, match=r"Ray node .* has other software.*numpy .* instead of 0\.1"):
            _settle_in(_Terms(before, theirs, None))
        with pytest.raises(CurateError, match=r"has no folder .*/nowhere.*store there or in an object store"):
            _settle_in(_Terms(str(tmp_path / "nowhere"), (), None))
        with pytest.raises(CurateError, match="does not see the same"):
            _settle_in(_Terms(before, (), (str(seen), "a")))
        seen.write_text("b")
        with pytest.raises(CurateError, match="does not see the same"):
            _settle_in(_Terms(before, (), (str(seen), "a")))
        _settle_in(_Terms(before, (), (str(seen), "b")))
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(limits)


@pytest.mark.slow
def test_no_ray_outlives_a_killed_parent(tmp_path: Path) -> None:
    """When the parent is killed outright, the Ray it started ends by itself; it serves no dashboard and reports no usage."""
    code = (
        "import os, time, psutil\n"
        "from curate.executors.ray import RayExecutor\n"
        "list(RayExecutor(workers=1).map(abs, [1]))\n"
        "print(*(p.pid for p in psutil.Process().children(recursive=True)), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        children = [psutil.Process(int(number)) for number in parent.stdout.readline().split()]
    assert len(children) > 2
    served = [child for child in children if any("dashboard.py" in part for part in child.cmdline())]
    frontends = [child for child in served if "--disable-frontend" not in child.cmdline()]
    told = {child.environ().get("RAY_USAGE_STATS_ENABLED") for child in served}
    parent.kill()
    parent.wait()
    assert frontends == []
    assert told == {"0"}
    _, alive = psutil.wait_procs(children, timeout=150)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


def test_no_cluster_is_told() -> None:
    """An address where nothing answers is an error that names it."""
    with pytest.raises(CurateError, match=r"no Ray cluster can be joined at 127\.0\.0\.1:1: .*`ray start --head`"):
        list(RayExecutor(address="127.0.0.1:1").map(square, [1]))
