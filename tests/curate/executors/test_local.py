"""The local executor: results by item, errors as they were, no worker left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from curate.errors import CurateError, StageError
from curate.executors import Executor
from curate.executors.local import LocalExecutor
from curate.executors.serial import SerialExecutor


def square(value: int) -> int:
    """Returns the square, the small ones later."""
    time.sleep(0.01 * (9 - value))
    return value * value


def refuse(value: int) -> int:
    """Refuses one item."""
    if value == 3:
        raise StageError("stage 'x' can't take item 3")
    return value


def crash(value: int) -> int:
    """Ends a process the executor started as the out-of-memory killer would."""
    if multiprocessing.parent_process():
        os._exit(9)
    time.sleep(0.1)
    return value


def limits(value: int) -> tuple[int, list[str | None]]:
    """Returns this process, what its libraries are told about threads, and whether Ctrl-C is left to the parent."""
    time.sleep(0.1)
    names = ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
    ignored = str(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
    return os.getpid(), [*(os.environ.get(name) for name in names), ignored]


def loaded(value: int) -> tuple[int, bool]:
    """Returns this process and whether a module that nothing else asks for is loaded."""
    time.sleep(0.1)
    return os.getpid(), "this" in sys.modules


@pytest.fixture(scope="module")
def local() -> Iterator[LocalExecutor]:
    """Two workers."""
    executor = LocalExecutor(2)
    yield executor
    executor.close()


@pytest.fixture(params=["local", "serial"])
def executor(request: pytest.FixtureRequest, local: LocalExecutor) -> Executor:
    """Each executor."""
    return local if request.param == "local" else SerialExecutor()


def test_results_belong_to_their_items(executor: Executor) -> None:
    """Whatever finishes first, each result comes with the index of its item."""
    assert dict(executor.map(square, range(9))) == {i: i * i for i in range(9)}
    assert list(executor.map(square, [])) == []


def test_errors_come_through_as_they_were(executor: Executor) -> None:
    """An error of an item is raised with its type and words; the executor goes on being of use."""
    with pytest.raises(StageError, match=r"^stage 'x' can't take item 3$"):
        list(executor.map(refuse, range(8)))
    assert dict(executor.map(refuse, [1, 2])) == {0: 1, 1: 2}


def test_a_map_that_is_left_can_be_followed_by_another(executor: Executor) -> None:
    """Not taking all results does no harm."""
    next(iter(executor.map(square, range(9))))
    assert dict(executor.map(square, [2])) == {0: 4}


@pytest.mark.parametrize("items", [1, 2, 3])
def test_a_few_items_are_shared_out(local: LocalExecutor, items: int) -> None:
    """One of them is for the process that maps, whatever the others could take."""
    dict(local.map(limits, range(8)))  # the other process is up
    places = [result[0] for _, result in local.map(limits, range(items))]
    assert os.getpid() in places
    assert len(set(places)) == min(items, 2)


def test_workers_use_one_thread(local: LocalExecutor) -> None:
    """Libraries in the other workers are capped at one thread; this process works too, its environment what it was."""
    before = dict(os.environ)
    found = dict(result for _, result in local.map(limits, range(8)))
    assert len(found) == 2
    found.pop(os.getpid())
    assert list(found.values()) == [["1", "1", "1", "1", "True"]]
    assert dict(os.environ) == before


def test_started_workers_import_while_they_wait() -> None:
    """What is to be loaded beforehand is, in the other processes only."""
    executor = LocalExecutor(2, preload=("this",))
    try:
        assert executor.start() is executor.start()
        found = dict(result for _, result in executor.map(loaded, range(8)))
    finally:
        executor.close()
    assert (len(found), found.pop(os.getpid()), list(found.values())) == (2, False, [True])


def test_one_worker_is_this_process() -> None:
    """Nothing is started for a single worker."""
    executor = LocalExecutor(1)
    assert executor.start() is None
    assert [result[0] for _, result in executor.map(limits, range(2))] == [os.getpid()] * 2
    executor.close()


def test_a_killed_worker_is_told() -> None:
    """A worker that dies raises CurateError with advice, and the next map starts new ones."""
    executor = LocalExecutor(2)
    try:
        with pytest.raises(
            CurateError, match=r"a worker process died, most likely killed for want of memory; run again"
        ):
            list(executor.map(crash, range(3)))
        assert dict(executor.map(refuse, [1])) == {0: 1}
    finally:
        executor.close()


def test_closing_stops_the_workers() -> None:
    """After close no worker lives, also when it was busy; closing twice does no harm."""
    executor = LocalExecutor(2)
    results = executor.map(square, [8, 0, 0])
    next(results)
    workers = list((executor._pool._processes or {}).values()) if executor._pool else []
    executor.close()
    executor.close()
    for worker in workers:
        worker.join(10)
    assert [w.exitcode is not None for w in workers] == [True]


def test_no_worker_outlives_a_killed_parent() -> None:
    """When the parent is killed outright, its workers end by themselves."""
    code = (
        "import time\n"
        "from curate.executors.local import LocalExecutor\n"
        "executor = LocalExecutor(3)\n"
        "list(executor.map(abs, [1]))\n"
        "print(*(executor._pool._processes or {}), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        workers = [psutil.Process(int(number)) for number in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
