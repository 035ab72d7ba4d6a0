"""Runs a recipe, shows progress, prints the table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import orjson

from curate.cli.last import remember
from curate.events import Event
from curate.executors import Executor
from curate.plan import make_plan
from curate.recipe import load_recipe
from curate.report import RunReport, narrow_table, run_data, run_report, run_table, step_lines
from curate.run import run as run_plan

QUARANTINE_EXIT = 3
_ANY_WIDTH = 10_000


def run_recipe(recipe: Path, executor_for: Callable[[Path], Executor], *, quiet: bool, as_json: bool) -> int:
    """Runs a recipe with the executor for its store and returns the exit code.

    Raises:
        CurateError: when the recipe, a source or a step can't be worked with.
    """
    plan = make_plan(load_recipe(recipe))
    remember(recipe)
    worked = _show(run_plan(plan, executor_for(plan.store.root)), quiet=quiet, as_json=as_json)
    report = run_report(plan, nothing_to_do=not worked)
    if as_json:
        click.echo(orjson.dumps(run_data(report), option=orjson.OPT_INDENT_2).decode())
    else:
        _print_report(report)
    return QUARANTINE_EXIT if report.too_much_quarantine else 0


def _show(events: Iterator[Event], *, quiet: bool, as_json: bool) -> bool:
    """Draws events as they come and says whether any work was done."""
    worked = False

    def noted() -> Iterator[Event]:
        nonlocal worked
        for event in events:
            worked = worked or event.kind == "begin"
            yield event

    _draw(noted(), quiet=quiet, as_json=as_json)
    return worked


def _draw(events: Iterator[Event], *, quiet: bool, as_json: bool) -> None:
    """Draws events as bars on a terminal, as plain lines elsewhere, as JSON lines on demand."""
    if quiet:
        for _ in events:
            pass
    elif as_json:
        for event in events:
            if event.kind != "advance":
                click.echo(orjson.dumps({"event": event.kind, "step": event.name, "total": event.total}), err=True)
    elif sys.stderr.isatty():
        _bars(events)
    else:
        for event in events:
            if event.kind in ("end", "cached"):
                click.echo(f"{'done  ' if event.kind == 'end' else 'cached'}  {event.name}", err=True)


def _bars(events: Iterator[Event]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {}
        for event in events:
            if event.kind == "begin":
                tasks[event.name] = progress.add_task(event.name, total=event.total)
            elif event.kind == "advance":
                progress.advance(tasks[event.name])
            elif event.kind == "end":
                progress.update(tasks[event.name], total=event.total, completed=progress.tasks[tasks[event.name]].total)
            else:
                progress.add_task(f"[dim]{event.name} (cached)[/dim]", total=1, completed=1)


def _print_report(report: RunReport) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 200)
    table = run_table(report)
    if Console(width=_ANY_WIDTH).measure(table).maximum <= console.width:
        console.print(table)
    else:
        console.print(narrow_table(report))
        for line in step_lines(report):
            console.print(line, highlight=False, markup=False)
    for note in report.notes:
        console.print(note, highlight=False, markup=False)
