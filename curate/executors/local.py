"""The local executor: this process and others it spawns share the work, each with one thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import resource_tracker
from typing import Any

from curate.errors import CurateError
from curate.interrupts import postponed_interrupt
from curate.loading import loading
from curate.memory import keep_freed_memory

THREAD_LIMITS = (
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""What libraries read to know how many threads they may use; set before they are imported."""
PATIENCE = 10.0
"""Seconds the other processes have to finish what they are writing when an item has failed."""


class LocalExecutor:
    """Runs items on ``workers`` processes, of which this is one; the others cap their libraries' threads at one."""

    def __init__(self, workers: int, preload: Sequence[str] = ()) -> None:
        """Notes the number of workers; the others start with the first map, or with `start`.

        ``preload`` names modules that they import while they wait for work.
        """
        self._others = workers - 1
        self._preload = tuple(preload)
        self._pool: ProcessPoolExecutor | None = None

    def map(
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, cpus: int = 1, gpus: int = 0
    ) -> Iterator[tuple[int, Any]]:
        """Yields (index, result) as items finish.

        Of the other processes each has at most two items at a time, and one when few are left; the last is for this
        process, so that no item waits while a process has nothing to do.

        Raises:
            CurateError: when a worker process died (killed, or out of memory), with advice.
        """
        waiting = list(enumerate(items))[::-1]
        running: dict[Future[Any], int] = {}
        try:
            pool = self.start()
            while waiting or running:
                while pool and len(waiting) > 1 and len(running) < self._most(len(waiting)):
                    index, item = waiting.pop()
                    running[pool.submit(fn, item)] = index
                if waiting:
                    index, item = waiting.pop()
                    yield index, fn(item)
                done, _ = wait(running, timeout=0 if waiting else None, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool as error:
            self._pool = None
            running.clear()
            raise CurateError(
                "a worker process died, most likely killed for want of memory; run again: finished parts are kept. "
                "Use fewer --workers if it happens again"
            ) from error
        except Exception:
            wait(running, timeout=PATIENCE)
            raise
        finally:
            if running:  # left early or failed: what is under way is of no use to anybody
                self.close()

    def _most(self, waiting: int) -> int:
        """Returns how many items the other processes may have while so many wait."""
        return self._others * (2 if waiting > self._others + 1 else 1)

    def start(self) -> ProcessPoolExecutor | None:
        """Starts the other processes, unless they run, and returns their pool; None when this is the only one."""
        if self._pool is None and self._others:
            saved = {name: os.environ.get(name) for name in THREAD_LIMITS}
            os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
            try:
                with _without_interrupt():
                    context = multiprocessing.get_context("spawn")
                    self._pool = ProcessPoolExecutor(
                        self._others, mp_context=context, initializer=_settle_in, initargs=(self._preload,)
                    )
                    for _ in range(self._others):  # each item submitted while none is idle starts a worker
                        self._pool.submit(os.getpid)
            finally:
                _restore(saved)
        return self._pool

    def close(self) -> None:
        """Stops the workers at once."""
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(cancel_futures=True)


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """Puts Ctrl-C off to the end of the block; processes started inside are born with it blocked.

    The resource tracker is started first, because starting it unblocks the signal. A signal may reach any thread of
    this process, so blocking it in this one is not enough.
    """
    resource_tracker.ensure_running()
    with postponed_interrupt():
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _restore(saved: dict[str, str | None]) -> None:
    for name, value in saved.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _settle_in(preload: Sequence[str]) -> None:
    """Leaves Ctrl-C to the parent, and ends the worker when the parent is gone: a killed run leaves no orphans."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with loading():
        for module in preload:
            import_module(module)


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
