"""The run: executes the steps of a plan that are not in the store, and tells what happens as it goes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from threading import Thread
from typing import Literal

import numpy as np

from curate import ending
from curate.executors import Executor
from curate.packing.plan import plan as pack
from curate.plan import Plan, PlannedStep
from curate.pool import Pool
from curate.pool.kernels import load_span_copier
from curate.stage import RowLocal, Select
from curate.steps.ingest import base_parts, ingest_units, run_ingest
from curate.steps.select import pieces, run_select
from curate.steps.tokenize import run_tokenize
from curate.steps.transform import Transform, run_pass
from curate.store import RowsView
from curate.store.lock import locked

Events = Generator["Event", None, None]


@dataclass(frozen=True)
class Event:
    """Something that happened: a step began (``total`` pieces of work), advanced by one piece, ended, or was cached."""

    kind: Literal["begin", "advance", "end", "cached"]
    name: str
    total: int = 0


def run(plan: Plan, executor: Executor) -> Events:
    """Runs what is not in the store, in order, yielding events; killed at any moment it can be run again.

    Raises:
        CurateError: when a step can't be done; what is finished stays.
    """
    with locked(plan.store.root):
        yield from _run(plan, executor)


def _run(plan: Plan, executor: Executor) -> Events:
    for planned in plan.of("ingest"):
        yield from _ingest(planned, executor)
    view = yield from _stages(plan, executor)
    if plan.recipe.tokenizer is None:
        yield from _cached_or(
            plan, plan.last, lambda step: ending.rows_step(plan, view, step, executor), total=len(view)
        )
        return
    yield from _tokenize(plan, view, executor)
    executor.close()
    yield from _indexes(plan)


def ingested_view(plan: Plan) -> RowsView:
    """Returns all ingested rows of a plan."""
    return RowsView(tuple(part for planned in plan.of("ingest") for part in base_parts(planned.artifact)))


def _tell(planned: PlannedStep, total: int, work: Iterator[int]) -> Events:
    name = planned.step.name
    yield Event("begin", name, total)
    for _ in work:
        yield Event("advance", name)
    yield Event("end", name)


def _cached_or(plan: Plan, planned: PlannedStep, work: Callable[[PlannedStep], Iterator[int]], total: int) -> Events:
    done = ending.output_is_current(plan, planned.artifact) if planned.kind == "export" else planned.cached
    if done:
        planned.artifact.touch()
        yield Event("cached", planned.step.name)
    else:
        yield from _tell(planned, total, work(planned))


def _ingest(planned: PlannedStep, executor: Executor) -> Events:
    if planned.cached:
        planned.artifact.touch()
        planned.artifact.clear()
        yield Event("cached", planned.step.name)
        return
    assert planned.source is not None
    found = ingest_units(planned.source)
    work = run_ingest(planned.source, found, planned.artifact, planned.step.identity, executor)
    yield from _tell(planned, len(found), work)


def _stages(plan: Plan, executor: Executor) -> Generator[Event, None, RowsView]:
    """Runs the stages; uncached neighbours that are row-local share one pass."""
    view = ingested_view(plan)
    waiting: list[PlannedStep] = []
    aside = [planned.artifact.folder for planned in plan.steps if planned.aside]
    for planned in plan.of("rows", "select"):
        if waiting and (planned.cached or planned.kind == "select" or _gpus(planned) != _gpus(waiting[-1])):
            view = yield from _pass(waiting, view, executor)
            waiting = []
        if planned.cached:
            planned.artifact.touch()
            if planned.kind == "select":
                planned.artifact.clear()
            yield Event("cached", planned.step.name)
            view = view.through(planned.artifact.folder)
        elif planned.kind == "select":
            view = yield from _select(plan, planned, view, executor)
        else:
            waiting.append(planned)
        if planned.kind == "select" and not planned.aside:
            view = view.without(aside)
    return (yield from _pass(waiting, view, executor)) if waiting else view


def _gpus(planned: PlannedStep) -> int:
    return 0 if planned.stage is None else planned.stage.gpus


def _pass(waiting: list[PlannedStep], view: RowsView, executor: Executor) -> Generator[Event, None, RowsView]:
    transforms = []
    for planned in waiting:
        assert isinstance(planned.stage, RowLocal)
        transforms.append(Transform(planned.stage, planned.artifact, planned.step.identity))
    name = " → ".join(planned.step.name for planned in waiting)
    yield Event("begin", name, len(view))
    for _ in run_pass(transforms, view, executor):
        yield Event("advance", name)
    yield Event("end", name)
    for planned in waiting:
        view = view.through(planned.artifact.folder)
    return view


def _select(plan: Plan, planned: PlannedStep, view: RowsView, executor: Executor) -> Generator[Event, None, RowsView]:
    assert isinstance(planned.stage, Select)
    rows = rows_before(plan, planned)
    found_by = plan.steps[plan.steps.index(planned) - 1].artifact if planned.stage.phase == "decide" else None
    work = run_select(planned.stage, view, rows, planned.artifact, planned.step.identity, executor, found_by)
    yield from _tell(planned, pieces(planned.stage, len(view), rows), work)
    return view.through(planned.artifact.folder)


def rows_before(plan: Plan, planned: PlannedStep) -> int:
    """Returns how many rows a step reads."""
    earlier = plan.steps[: plan.steps.index(planned)]
    stages = [s for s in earlier if s.kind in ("rows", "select")]
    if stages:
        return int(stages[-1].artifact.meta["counts"]["rows_out"])
    return sum(int(s.artifact.meta["counts"]["rows"]) for s in plan.of("ingest"))


def _tokenize(plan: Plan, view: RowsView, executor: Executor) -> Events:
    (planned,) = plan.of("tokenize")
    recipe = plan.recipe
    assert recipe.tokenizer is not None
    if not planned.cached:
        Thread(target=_load_compiled_loops, daemon=True).start()
    work = run_tokenize(view, planned.artifact, planned.step.identity, recipe.tokenizer, recipe.tokenize, executor)
    yield from _cached_or(plan, planned, lambda _: work, total=len(view))


def _load_compiled_loops() -> None:
    """Loads what packing and export need while the workers tokenize."""
    pack(np.ones(1), capacity=1)
    load_span_copier()


def _indexes(plan: Plan) -> Events:
    """Runs split, mix, pack and export over the pool, which is opened only when one of them has work."""
    pool: list[Pool] = []

    def opened() -> Pool:
        if not pool:
            pool.append(ending.open_pool(plan.of("tokenize")[0]))
        return pool[0]

    work: dict[str, Callable[[Plan, Pool, PlannedStep], Iterator[int]]] = {
        "split": ending.split_step,
        "mix": ending.mix_step,
        "pack": ending.pack_step,
        "export": ending.release_step,
    }
    for planned in plan.of("split", "mix", "pack", "export"):

        def start(step: PlannedStep) -> Iterator[int]:
            return work[step.kind](plan, opened(), step)

        yield from _cached_or(plan, planned, start, total=1)
