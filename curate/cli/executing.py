"""The options that choose how work is mapped, and the executor they mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import click

from curate.errors import CurateError
from curate.executors import Executor
from curate.executors.local import LocalExecutor
from curate.executors.serial import SerialExecutor


@contextmanager
def executing(name: str, workers: int | None, address: str | None, store: Path) -> Iterator[Executor]:
    """Gives an executor (local, serial or ray) for a run with this store, and closes it in the end.

    Raises:
        UsageError: for options that contradict each other.
        CurateError: when Ray is asked for and not installed.
    """
    if address is not None and name != "ray":
        raise click.UsageError("--address is that of a Ray cluster; add --executor ray")
    cluster = address or (os.environ.get("RAY_ADDRESS") if name == "ray" else None)
    if cluster and workers is not None:
        raise click.UsageError("a Ray cluster brings its own workers: leave --workers out, or --address (RAY_ADDRESS)")
    executor = _ray(workers, cluster, store) if name == "ray" else _here(name, workers)
    try:
        yield executor
    finally:
        executor.close()


def _here(name: str, workers: int | None) -> Executor:
    return SerialExecutor() if name == "serial" else LocalExecutor(workers or len(os.sched_getaffinity(0)))


def _ray(workers: int | None, cluster: str | None, store: Path) -> Executor:
    if find_spec("ray") is None:
        raise CurateError("--executor ray needs Ray, which is not installed: pip install 'curate-train[ray]'")
    from curate.executors.ray import RayExecutor

    return RayExecutor(address=cluster, workers=workers, shared=store if cluster else None)
