"""Running a Select: its phases in order, each a map over what is not done yet."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any

from curate.executors import Executor
from curate.stage import Select
from curate.steps.select.choosing import choose_turn, decide, totals
from curate.steps.select.clusters import FILE, write_clusters
from curate.steps.select.finding import (
    PAIRS,
    find_strip,
    found_totals,
    learn_cells,
    merge,
    pass_part,
    spread_part,
    strips,
)
from curate.steps.select.indexing import write_header
from curate.steps.select.job import Job, key_buckets, same_buckets, surveyed, together
from curate.steps.select.matching import gather_bits, mark_copies, match_bucket, pairs_of_share, same_bucket
from curate.steps.select.sketching import learn, order_rows, sketch_bundle, survey_part
from curate.steps.select.sweeping import SWEEP, sweep_totals, write_sweep
from curate.steps.select.verifying import gather_bundle, verify_share
from curate.steps.select.writing import write_part
from curate.steps.transform import counts_path, finish
from curate.store import Artifact, RowsView, read_json


def pieces(stage: Select, view: RowsView, rows: int) -> int:
    """Returns how often ``run_select`` will yield."""
    parts = len(view)
    references = stage.references()
    total, all_parts = rows + sum(r.rows for r in references), parts + len(references)
    bundles = -(-all_parts // together(all_parts))
    buckets = same_buckets(total) + key_buckets(stage, total) + (parts if stage.phase == "find" else 0)
    surveys = len(surveyed(view)) if stage.surveys else 0
    return parts + surveys + bundles + buckets if parts else 0


def run_select(
    stage: Select,
    view: RowsView,
    rows: int,
    artifact: Artifact,
    identity: bytes,
    executor: Executor,
    found_by: Artifact | None = None,
) -> Iterator[int]:
    """Runs a Select over all parts of the view (``rows`` rows in all), yielding after each part or bucket.

    ``found_by`` is the finished step before one that decides.
    """
    references = stage.references() if len(view) else ()
    job = Job(stage, view, artifact, rows + sum(r.rows for r in references), references, found=found_by)
    found: dict[str, Any] = {}
    artifact.begin()
    if len(view):
        job = yield from _sketch(job, executor)
        yield from _same(job, executor)
        found = yield from (_find if stage.phase == "find" else _decide)(job, executor)
        yield from _write(job, executor)
    finish(artifact, identity, len(view), select=found)
    artifact.clear()


def _decide(job: Job, executor: Executor) -> Generator[int, None, dict[str, Any]]:
    """Compares candidates, chooses, and writes what is told of the choice; returns what was counted."""
    if job.key_buckets:
        _once(executor, mark_copies, job, 0, "copies")
    yield from _each(executor, match_bucket, job, range(job.key_buckets), "found.json")
    turns = _compare(job, executor)
    _once(executor, decide, job, turns, "samples")
    if job.found is not None and not (job.artifact.folder / SWEEP).is_file():
        _run(executor, write_sweep, [(job, 0)])
    if job.stage.indexes:
        write_header(job)
    sweep = {} if job.found is None else {"sweep": sweep_totals(job.artifact)}
    return {**totals(job, turns), **sweep}


def _find(job: Job, executor: Executor) -> Generator[int, None, dict[str, Any]]:
    """Finds all pairs of similar vectors; returns what was counted."""
    _once(executor, mark_copies, job, 0, "copies")
    _once(executor, learn_cells, job, 0, "cells")
    yield from _each(executor, spread_part, job, range(job.parts), "spread.json")
    work = [(job.at(), number, *strip) for number, strip in enumerate(strips(job))]
    _run(executor, find_strip, [task for task in work if not job.account(task[1], "found").is_file()])
    if not (job.artifact.folder / PAIRS).is_file():
        _run(executor, merge, [(job, len(work))])
    return found_totals(job, len(work))


def _sketch(job: Job, executor: Executor) -> Generator[int, None, Job]:
    """Surveys some parts, sketches all, and puts the rows in order; returns the job that knows them."""
    gpus = job.stage.gpus
    if job.stage.surveys:
        yield from _each(executor, survey_part, job, surveyed(job.view), "survey", gpus)
        _once(executor, learn, job, 0, "learned")
    todo = [bundle for bundle in range(job.bundles) if not job.account(bundle, "sketch").is_file()]
    yield from _rest(executor, sketch_bundle, [(job.at_bundle(i), i) for i in todo], job.bundles, gpus)
    job = job.placed()
    if job.ranked:
        _once(executor, order_rows, job, 0, "nodes")
    return job


def _same(job: Job, executor: Executor) -> Iterator[int]:
    """Looks for identical rows and, beside that, gathers the rows' bits; yields for every bucket."""
    todo = [bucket for bucket in range(job.same_buckets) if not job.part(bucket, "stars").is_file()]
    gathered = not (job.key_buckets and job.filters) or job.part(0, "bits").is_file()
    aside = [] if gathered else [(gather_bits, (job, 0))]
    tasks = [(same_bucket, (job.at(bucket), bucket)) for bucket in todo]
    yield from _beside(executor, aside, tasks, job.same_buckets)


def _compare(job: Job, executor: Executor) -> int:
    """Verifies candidates and chooses, in turns, until nothing is left to compare; returns the number of turns."""
    turn, shares = 0, list(range(job.shares)) if job.key_buckets else []
    while shares:
        todo = [s for s in shares if not job.account(s, f"pairs-{turn}").is_file()]
        _run(executor, pairs_of_share, [(job.at(), share, turn) for share in todo])
        accounts = {share: read_json(job.account(share, f"pairs-{turn}")) for share in shares}
        busy = tuple(share for share, account in accounts.items() if account["pairs"])
        bundles = sorted({bundle for account in accounts.values() for bundle in account["bundles"]})
        todo = [bundle for bundle in bundles if not job.part(bundle, f"features-{turn}").is_file()]
        _run(executor, gather_bundle, [(job.at_bundle(i), i, turn, busy) for i in todo])
        todo = [share for share in busy if not job.part(share, f"edges-{turn}").is_file()]
        _run(executor, verify_share, [(job.at(), share, turn, busy) for share in todo])
        if not job.account(turn, "chosen").is_file():
            _run(executor, choose_turn, [(job, turn)])
        shares = read_json(job.account(turn, "chosen"))["shares"]
        turn += 1
    return turn


def _write(job: Job, executor: Executor) -> Iterator[int]:
    """Writes what becomes of every part and, beside that, the clusters; yields for every part."""
    slim, finds = replace(job, base=(0,)), job.stage.phase == "find"
    todo = [part for part in range(len(job.view)) if not counts_path(job.artifact, part).is_file()]
    told = finds or (job.artifact.folder / FILE).is_file()
    aside = [] if told else [(write_clusters, (job, 0))]
    tasks = [(pass_part if finds else write_part, (slim.at(part), part)) for part in todo]
    yield from _beside(executor, aside, tasks, len(job.view))


def _beside(executor: Executor, aside: list[Any], todo: list[Any], total: int) -> Iterator[int]:
    """Does tasks, each a function and its task, and beside them some that are not counted; yields for all of ``total``."""
    yield from range(total - len(todo))
    for index, _ in executor.map(_do, [*aside, *todo]):
        if index >= len(aside):
            yield 1


def _do(task: tuple[Callable[[Any], None], Any]) -> None:
    work, what = task
    work(what)


def _each(
    executor: Executor, fn: Callable[[Any], None], job: Job, items: Iterable[int], mark: str, gpus: int = 0
) -> Iterator[int]:
    """Maps over the items whose mark, a frame or an account, is not written yet; yields for every item."""
    kind, _, account = mark.partition(".")
    done = job.account if account else job.part
    numbers = list(items)
    yield from _rest(executor, fn, [(job.at(i), i) for i in numbers if not done(i, kind).is_file()], len(numbers), gpus)


def _rest(executor: Executor, fn: Callable[[Any], None], todo: list[Any], total: int, gpus: int = 0) -> Iterator[int]:
    for _ in range(total - len(todo)):
        yield 1
    for _ in executor.map(fn, todo, gpus=gpus):
        yield 1


def _once(executor: Executor, fn: Callable[[Any], None], job: Job, argument: int, mark: str) -> None:
    """Does one task, unless its mark is written."""
    if not job.part(0, mark).is_file():
        _run(executor, fn, [(job, argument)])


def _run(executor: Executor, fn: Callable[[Any], None], tasks: list[Any]) -> None:
    for _ in executor.map(fn, tasks):
        pass
