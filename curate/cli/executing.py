"""The options that choose how work is mapped, and the executor they mean."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import click

from curate.errors import CurateError
from curate.executors import Executor
from curate.executors.local import THREAD_LIMITS, LocalExecutor
from curate.executors.serial import SerialExecutor
from curate.memory import VARIABLES, keep_freed_memory

PRELOADED = ("curate.steps.ingest", "curate.sources.plain_loop")
"""What workers import while they wait for work."""
PRELOADED_FOR = {
    b"tokenizer:": ("curate.steps.tokenize",),
    b"exact_dedup": ("curate.steps.select", "curate.stages.dedup.exact_dedup"),
    b"minhash_dedup": ("curate.steps.select", "curate.stages.dedup.minhash_dedup"),
}
"""What they import then for a recipe that has these words in it. A wrong guess costs a moment, no more."""


@contextmanager
def executing(
    name: str, workers: int | None, address: str | None, recipe: Path | None = None
) -> Iterator[Callable[[Path], Executor]]:
    """Gives the executor (local, serial or ray) of a run whose store is told once known, and closes it in the end.

    Local workers start at once, to import what they need (for a ``recipe``) while this process does.

    Raises:
        UsageError: for options that contradict each other.
        CurateError: when Ray is asked for and not installed.
    """
    if address is not None and name != "ray":
        raise click.UsageError("--address is that of a Ray cluster; add --executor ray")
    cluster = address or (os.environ.get("RAY_ADDRESS") if name == "ray" else None)
    if cluster and workers is not None:
        raise click.UsageError("a Ray cluster brings its own workers: leave --workers out, or --address (RAY_ADDRESS)")
    with ExitStack() as closing:
        if name == "local":
            local = LocalExecutor(workers or len(os.sched_getaffinity(0)), preloaded(recipe))
            closing.callback(local.close)
            _set_up_libraries()
            local.start()
            yield lambda store: local
        elif name == "serial":
            yield lambda store: SerialExecutor()
        else:
            yield lambda store: _closed_by(closing, _ray(workers, cluster, store))


def preloaded(recipe: Path | None) -> tuple[str, ...]:
    """Returns the modules that workers import while they wait, by the words of a recipe that is not read yet."""
    words = b""
    if recipe is not None:
        with suppress(OSError):  # what is wrong with the recipe is said when it is read
            words = recipe.read_bytes()
    found = [module for word, modules in PRELOADED_FOR.items() if word in words for module in modules]
    return tuple(dict.fromkeys((*PRELOADED, *found)))


def _closed_by(closing: ExitStack, executor: Executor) -> Executor:
    closing.callback(executor.close)
    return executor


def _set_up_libraries() -> None:
    """Caps the threads of libraries yet to be imported, for this process is one of the workers, and sets their memory."""
    keep_freed_memory()
    if "polars" not in sys.modules:
        for name, value in (dict.fromkeys(THREAD_LIMITS, "1") | VARIABLES).items():
            os.environ.setdefault(name, value)


def _ray(workers: int | None, cluster: str | None, store: Path) -> Executor:
    if find_spec("ray") is None:
        raise CurateError("--executor ray needs Ray, which is not installed: pip install 'curate-train[ray]'")
    from curate.executors.ray import RayExecutor

    return RayExecutor(address=cluster, workers=workers, shared=store if cluster else None)
