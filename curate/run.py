"""The run: executes the steps of a plan that are not in the store, and tells what happens as it goes."""

from __future__ import annotations

from collections.abc import Generator

from curate import ending
from curate.events import Event, Events, cached_or, tell
from curate.executors import Executor
from curate.interrupts import postponed_interrupt
from curate.plan import Plan, PlannedStep
from curate.stage import RowLocal, Select
from curate.steps.ingest import base_parts, ingest_units, run_ingest
from curate.steps.select import pieces, run_select
from curate.steps.transform import Transform, run_pass
from curate.store import Artifact, RowsView
from curate.store.lock import locked


def run(plan: Plan, executor: Executor) -> Events:
    """Runs what is not in the store, in order, yielding events; killed at any moment it can be run again.

    Raises:
        CurateError: when a step can't be done; what is finished stays.
    """
    with locked(plan.store.root):
        try:
            yield from _settling(plan, _run(plan, executor))
        finally:
            for planned in plan.steps:
                planned.artifact.settle()


def _settling(plan: Plan, events: Events) -> Events:
    """Passes events on, and settles finished steps when another has ended: most is on the disk by then."""
    last: list[Artifact] = []
    for event in events:
        if event.kind == "end":
            for artifact in last:
                artifact.settle()
            last = [planned.artifact for planned in plan.steps if planned.artifact.fresh]
        yield event


def _run(plan: Plan, executor: Executor) -> Events:
    for planned in plan.of("ingest"):
        yield from _ingest(planned, executor)
    view = yield from _stages(plan, executor)
    if plan.recipe.tokenizer is None:
        yield from cached_or(
            plan, plan.last, lambda step: ending.rows_step(plan, view, step, executor), total=len(view)
        )
        return
    with postponed_interrupt():  # templates, tokenizers, shards: a sixth of a second that rows alone can do without
        from curate.tokenized import run_tokenized

    yield from run_tokenized(plan, view, executor)


def ingested_view(plan: Plan) -> RowsView:
    """Returns all ingested rows of a plan."""
    return RowsView(tuple(part for planned in plan.of("ingest") for part in base_parts(planned.artifact)))


def _ingest(planned: PlannedStep, executor: Executor) -> Events:
    if planned.cached:
        planned.artifact.touch()
        planned.artifact.clear()
        yield Event("cached", planned.step.name)
        return
    assert planned.source is not None
    found = ingest_units(planned.source)
    work = run_ingest(planned.source, found, planned.artifact, planned.step.identity, executor)
    yield from tell(planned, len(found), work)


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
    yield from tell(planned, pieces(planned.stage, view, rows), work)
    return view.through(planned.artifact.folder)


def rows_before(plan: Plan, planned: PlannedStep) -> int:
    """Returns how many rows a step reads."""
    earlier = plan.steps[: plan.steps.index(planned)]
    stages = [s for s in earlier if s.kind in ("rows", "select")]
    if stages:
        return int(stages[-1].artifact.meta["counts"]["rows_out"])
    return sum(int(s.artifact.meta["counts"]["rows"]) for s in plan.of("ingest"))
