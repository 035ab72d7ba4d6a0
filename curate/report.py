"""The report of a run: one table of rows and trained tokens for each source, which must add up, and notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.places import place
from curate.plan import Plan, StepKind
from curate.stage import Select, Survey

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class SourceLine:
    """What became of one source: ``read + sum(changes) == rows``, in every line and in the sum."""

    source: str
    ability: str
    records: int
    """Input records: lines, table rows, array elements."""
    quarantined: int
    left_out: int
    """Utterances of speakers the recipe drops."""
    read: int
    """Rows made of the others; several utterances make one."""
    changes: dict[str, int]
    """Step -> rows gained (children) less rows lost, where not zero."""
    rows: int
    """Rows that survived every step."""
    release: dict[str, int]
    """Rows and trained tokens held out and packed."""


_COUNTED: tuple[StepKind, ...] = ("rows", "select", "tokenize")
"""The kinds of steps that rows pass one by one."""


@dataclass(frozen=True)
class RunReport:
    """The result of a run."""

    lines: tuple[SourceLine, ...]
    steps: tuple[str, ...]
    """The steps that changed the number of rows, in the order of the run."""
    notes: tuple[str, ...]
    output: str
    quarantine_share: float
    too_much_quarantine: bool


def run_report(plan: Plan, *, nothing_to_do: bool = False) -> RunReport:
    """Returns the report of a finished run, from what its steps wrote down.

    Raises:
        AssertionError: when a source's rows don't add up.
    """
    tally = plan.last.artifact.meta["tally"]
    lines = tuple(_line(plan, p.source.spec.name, p, tally) for p in plan.of("ingest") if p.source)
    records = sum(line.records for line in lines)
    share = sum(line.quarantined for line in lines) / records if records else 0.0
    too_much = share > plan.recipe.max_quarantine
    notes = _notes(plan, lines, share, too_much)
    if nothing_to_do:
        notes.append("nothing to do: every step is in the store and the output is current")
    titles = dict.fromkeys(step.title for step in plan.of(*_COUNTED))
    steps = tuple(title for title in titles if any(title in line.changes for line in lines))
    return RunReport(lines, steps, tuple(notes), plan.recipe.output, share, too_much)


def _line(plan: Plan, source: str, planned: Any, tally: dict[str, Any]) -> SourceLine:
    counts = planned.artifact.meta["counts"]
    changes: dict[str, int] = {}
    rows = int(counts["rows"])
    for step in plan.of(*_COUNTED):
        meta = step.artifact.meta
        before, after = int(meta["before"].get(source, 0)), int(meta["after"].get(source, 0))
        assert before == rows, f"{step.step.name}: {source} had {rows} rows, {before} came in"
        if after != before:
            changes[step.title] = changes.get(step.title, 0) + after - before
        rows = after
    assert counts["rows"] + sum(changes.values()) == rows
    ability = planned.source.spec.ability or source
    return SourceLine(
        source=source,
        ability=ability,
        records=counts["records"],
        quarantined=counts["quarantined"],
        left_out=counts["left_out"],
        read=counts["rows"],
        changes=changes,
        rows=rows,
        release=tally.get(source, {}),
    )


def _notes(plan: Plan, lines: tuple[SourceLine, ...], share: float, too_much: bool) -> list[str]:
    notes = []
    if plan.recipe.tokenizer is not None:
        notes += _mixture_notes(plan)
    for planned in plan.of("rows"):
        if isinstance(planned.stage, Survey):
            summary = planned.artifact.meta["summary"]
            notes += [f"{planned.title}: {line}" for line in planned.stage.notes(summary)]
    stats = plan.of("tokenize")[0].artifact.meta["stats"] if plan.of("tokenize") else {}
    if stats.get("straddling"):
        notes.append(f"{stats['straddling']:,} tokens straddle the edge of a trained span and are not trained")
    notes += [*_crowd_notes(plan), *_sweep_notes(plan)]
    if any(line.quarantined for line in lines):
        notes.append(f"quarantine: {share:.2%} of the records, in {place(plan.recipe.output) / 'quarantine'}")
    if too_much:
        notes.append(
            f"that is more than max_quarantine ({plan.recipe.max_quarantine:.2%}): look at the reasons before training; exit 3"
        )
    return [*notes, f"output: {plan.recipe.output}"]


def _crowd_notes(plan: Plan) -> Iterator[str]:
    """Yields what Selects did not compare, and why."""
    for planned in plan.of("select"):
        found = planned.artifact.meta["select"]
        if planned.aside and found.get("not_compared"):
            yield (
                f"{planned.title}: {found['not_compared']:,} pairs were not compared, because up to "
                f"{found['largest_crowd']:,} rows are alike"
            )
        elif found.get("not_compared"):
            yield (
                f"{planned.step.name}: {found['not_compared']:,} pairs were not compared, because "
                f"{_why_not(found['largest_crowd'])}; ledger/{planned.step.name}-clusters.jsonl shows the largest sets"
            )


def _why_not(crowd: int) -> str:
    if crowd:
        return f"up to {crowd:,} rows share a key"
    return "a row is compared with the few best that share a key with it"


def _sweep_notes(plan: Plan) -> Iterator[str]:
    """Yields what other thresholds would drop, every fifth hundredth, for Selects that know."""
    for planned in plan.of("select"):
        sweep = planned.artifact.meta["select"].get("sweep", [])
        if sweep and isinstance(planned.stage, Select):
            here = planned.stage.least
            shown = [line for i, line in enumerate(sweep) if i % 5 == 0 or line["threshold"] == here]
            told = [
                f"{line['threshold']:.2f}{' (as here)' if line['threshold'] == here else ''} {line['rows_dropped']:,}"
                for line in shown
            ]
            name = planned.step.name
            yield f"{name}: rows dropped at {', '.join(told)}; ledger/{name}-sweep.jsonl shows pairs at each hundredth"


def _mixture_notes(plan: Plan) -> list[str]:
    split = plan.of("split")[0].artifact.meta["abilities"]
    small = [f"{name} {v['rows']}" for name, v in split.items() if v["quota"] < v["asked"]]
    packed = plan.of("pack")[0].artifact.meta
    notes = [
        f"packed: {packed['documents']:,} documents in {packed['sequences']:,} sequences of {plan.recipe.pack.length:,} tokens, {packed['fill']:.2%} full"
    ]
    left_out = plan.of("mix")[0].artifact.meta["left_out"]
    if left_out:
        rows = (
            "1 row is longer than a sequence and was"
            if left_out == 1
            else f"{left_out:,} rows are longer than a sequence and were"
        )
        notes.append(f"{rows} left out (reason longer_than_sequence); raise pack.length, or add truncate_history")
    if small:
        share = plan.recipe.split.max_share
        notes.append(f"validation: small abilities gave at most {share:.0%} of their rows: {', '.join(small)}")
    lock = plan.of("mix")[0].artifact.meta["lock"]
    return [*lock.get("notes", []), *notes]


def run_table(report: RunReport) -> Table:
    """Returns the table for a wide terminal: a column for each step that changed the number of rows."""
    names = [
        "records",
        "quarantine",
        "left out",
        "read",
        *report.steps,
        "rows",
        "validation",
        "packed",
        "trained tokens",
    ]
    return _table(report, names, [_cells(line, report.steps) for line in report.lines])


def narrow_table(report: RunReport) -> Table:
    """Returns the table for a narrow terminal: the steps' changes in one column, told one by one by `step_lines`."""
    names = ["records", "read", "stages", "rows", "validation", "packed", "trained"]
    body = []
    for line in report.lines:
        cells = _cells(line, ())
        body.append([line.records, line.read, sum(line.changes.values()), *cells[4:]])
    return _table(report, names, body)


def step_lines(report: RunReport) -> Iterator[str]:
    """Yields for each step that changed the number of rows by how many, in all and for each source."""
    if any(line.quarantined for line in report.lines):
        yield _step_line("quarantine", {line.source: -line.quarantined for line in report.lines})
    for step in report.steps:
        yield _step_line(step, {line.source: line.changes.get(step, 0) for line in report.lines})


def _step_line(step: str, changes: dict[str, int]) -> str:
    each = ", ".join(f"{source} {number:,}" for source, number in changes.items() if number)
    return f"{step} {sum(changes.values()):,}: {each}"


def _table(report: RunReport, names: list[str], body: list[list[int]]) -> Table:
    from rich.table import Table

    table = Table(title=None, header_style="bold")
    table.add_column("source", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for line, cells in zip(report.lines, body, strict=True):
        table.add_row(line.source, *(_number(c) for c in cells))
    table.add_section()
    table.add_row("all", *(_number(sum(column)) for column in zip(*body, strict=True)))
    return table


def _cells(line: SourceLine, steps: tuple[str, ...]) -> list[int]:
    changes = [line.changes.get(step, 0) for step in steps]
    release = [line.release.get(k, 0) for k in ("validation_rows", "packed_rows", "packed_trained")]
    return [line.records, -line.quarantined, -line.left_out, line.read, *changes, line.rows, *release]


def _number(value: int) -> str:
    return f"{value:,}" if value else "·"


def run_data(report: RunReport) -> dict[str, Any]:
    """Returns the report as JSON data."""
    sources = [
        {
            "source": line.source,
            "ability": line.ability,
            "records": line.records,
            "quarantined": line.quarantined,
            "left_out": line.left_out,
            "read": line.read,
            "changes": line.changes,
            "rows": line.rows,
            **line.release,
        }
        for line in report.lines
    ]
    return {
        "output": report.output,
        "quarantine_share": report.quarantine_share,
        "sources": sources,
        "notes": list(report.notes),
    }
