"""The second half of a run with a tokenizer: cleaned rows become a pool of tokens, and the pool a release."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread

import numpy as np

from curate import releasing
from curate.events import Events, cached_or
from curate.executors import Executor
from curate.packing.plan import plan as pack
from curate.plan import Plan, PlannedStep
from curate.pool import Pool
from curate.pool.kernels import load_span_copier
from curate.steps.tokenize import run_tokenize
from curate.store import RowsView


def run_tokenized(plan: Plan, view: RowsView, executor: Executor) -> Events:
    """Tokenizes the rows, then splits, mixes, packs and exports the pool; the executor is closed in between."""
    yield from _tokenize(plan, view, executor)
    executor.close()
    yield from _indexes(plan)


def _tokenize(plan: Plan, view: RowsView, executor: Executor) -> Events:
    (planned,) = plan.of("tokenize")
    recipe = plan.recipe
    assert recipe.tokenizer is not None
    if not planned.cached:
        Thread(target=_load_compiled_loops, daemon=True).start()
    work = run_tokenize(view, planned.artifact, planned.step.identity, recipe.tokenizer, recipe.tokenize, executor)
    yield from cached_or(plan, planned, lambda _: work, total=len(view))


def _load_compiled_loops() -> None:
    """Loads what packing and export need while the workers tokenize."""
    pack(np.ones(1), capacity=1)
    load_span_copier()


def _indexes(plan: Plan) -> Events:
    """Runs split, mix, pack and export over the pool, which is opened only when one of them has work."""
    pool: list[Pool] = []

    def opened() -> Pool:
        if not pool:
            pool.append(releasing.open_pool(plan.of("tokenize")[0]))
        return pool[0]

    work: dict[str, Callable[[Plan, Pool, PlannedStep], Iterator[int]]] = {
        "split": releasing.split_step,
        "mix": releasing.mix_step,
        "pack": releasing.pack_step,
        "export": releasing.release_step,
    }
    for planned in plan.of("split", "mix", "pack", "export"):

        def start(step: PlannedStep) -> Iterator[int]:
            return work[step.kind](plan, opened(), step)

        yield from cached_or(plan, planned, start, total=1)
