"""`train grid`: makes the pool where it has to, searches, and writes best-mix.yaml, grid.parquet and grid.html."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from curate.errors import TrainError
from curate.executors.local import LocalExecutor
from curate.files import atomic_open, write_bytes
from curate.mixing import Mixing, open_mixing
from curate.plan import Plan, make_plan
from curate.recipe import load_recipe
from curate.run import run as run_plan
from train.grid.board import Board
from train.grid.choices import render
from train.grid.claims import claim
from train.grid.config import GridConfig, load_grid
from train.grid.exam import check_names, read_exams
from train.grid.grades import add_grades
from train.grid.jobs import Shop
from train.grid.matrix import read_trials
from train.grid.proxy import Answers, Proxy
from train.grid.report import html
from train.grid.search import Search
from train.grid.verdict import Verdict, judge, write_best
from train.grid.worker import Listener, Worker

BEST, TABLE, REPORT = "best-mix.yaml", "grid.parquet", "grid.html"
NAME = "grid"


@dataclass(frozen=True)
class Ended:
    """What a search left: its folder, how many runs it has, how long they took in all, and its verdict."""

    folder: Path
    trials: int
    seconds: float
    verdict: Verdict

    @property
    def text(self) -> str:
        """What a terminal is told."""
        found, folder = self.verdict, self.folder
        lines = [f"{self.trials} runs, {self.seconds:,.0f} s of training in all"]
        if found.has_signal:
            lines.append(f"recommended: {found.best.label}   expected regret {found.regret:.3g}")
            lines.append(f"as good, as far as the runs tell: {found.tied_count} of {found.judged} mixtures")
            rivals = ", ".join(f"{r.name} {r.beaten:.0%}" for r in found.rivals if r.beaten is not None)
            lines.append(f"chance that it is better than: {rivals}")
        else:
            lines.append("no signal: the losses do not follow from the mixture beyond noise; any mixture is as good")
            lines.append(f"nearest to proportional: {found.best.label}")
        lines.append(f"mix: {folder / BEST}   report: {folder / REPORT}   table: {folder / TABLE}")
        return "\n".join(lines)


def search_grid(path: Path, listener: Listener, threads: int | None = None) -> Ended:
    """Runs the search of a file, together with any other worker on the same folder; finished trials are not run again.

    The report is written anew after every round.

    Raises:
        CurateError: the file, the recipe, a test, the pool or the model does not allow it.
    """
    if threads:
        torch.set_num_threads(threads)
    config = load_grid(path)
    exams = read_exams(config.tests)
    folder = Path(config.output)
    mixing = _open(config, folder, listener)
    check_names(exams, mixing.validation)
    tests = {exam.name: render(exam, mixing) for exam in exams}
    proxy = Proxy(config.train, mixing, Answers(config.answers.rows, config.answers.tokens))
    for note in proxy.notes:
        listener(f"warning: {note}", False)
    shop = Shop(mixing, proxy, tests)
    search = Search(config, shop, Worker(folder, shop, Board(folder, NAME), listener))
    search.run(lambda: _show(search))
    return _write(search)


def _show(search: Search) -> None:
    """Writes what can be said so far; before there are five mixtures that is nothing."""
    try:
        _write(search)
    except TrainError:
        return


def _write(search: Search) -> Ended:
    folder, verdict = search.worker.folder, judge(search)
    rows = read_trials(folder, search.keys)
    with atomic_open(folder / TABLE) as handle:
        add_grades(rows, folder, {name: test.digest for name, test in search.shop.tests.items()}).write_parquet(handle)
    write_best(search, verdict, folder / BEST)
    write_bytes(folder / REPORT, html(search, verdict, rows).encode())
    return Ended(folder, search.trials, float(rows.unique("key")["seconds"].sum()), verdict)


def _open(config: GridConfig, folder: Path, listener: Listener) -> Mixing:
    """Opens the pool; the first worker runs the recipe where its pool is not in the store."""
    plan = make_plan(load_recipe(Path(config.recipe)))
    while not all(step.cached for step in plan.of("tokenize")):
        with claim(folder, "pool") as mine:
            if mine:
                _run(plan, listener)
            else:
                listener("waiting for the worker that makes the pool", True)
                Worker.rest()
        plan = make_plan(load_recipe(Path(config.recipe)))
    return open_mixing(plan)


def _run(plan: Plan, listener: Listener) -> None:
    listener(f"running {plan.recipe.name}: its pool is not in the store", False)
    executor = LocalExecutor(len(os.sched_getaffinity(0)))
    try:
        for event in run_plan(plan, executor):
            if event.kind == "end":
                listener(f"done  {event.name}", False)
    finally:
        executor.close()
