"""Transform: consecutive row-local stages in one pass over the parts, each writing its own artifact.

A pass reads a part once and hands it from stage to stage in memory, but every stage keeps its own key, ledger and
delta. So a changed parameter of stage k runs k and what follows, and reads what stands before it from the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate.executors import Executor
from curate.files import write_bytes
from curate.ledger import Counts
from curate.stage import RowLocal, Survey
from curate.steps.propose import Delta, propose
from curate.store import Artifact, RowsView, read_frame, read_json, write_frame


@dataclass(frozen=True)
class Transform:
    """One row-local stage of a pass, where it writes, and its identity."""

    stage: RowLocal
    artifact: Artifact
    identity: bytes


@dataclass(frozen=True)
class _Task:
    view: RowsView
    stages: tuple[RowLocal, ...]
    artifacts: tuple[Artifact, ...]
    part: int


def run_pass(transforms: list[Transform], view: RowsView, executor: Executor) -> Iterator[int]:
    """Runs the stages over every part that is not done, yields after each part, then marks the steps complete."""
    stages = tuple(t.stage for t in transforms)
    artifacts = tuple(t.artifact for t in transforms)
    for artifact in artifacts:
        artifact.begin()
    todo = [i for i in range(len(view)) if not _done(artifacts, i)]
    for _ in range(len(view) - len(todo)):
        yield 1
    for _ in executor.map(
        _run_part, [_Task(view.some(i), stages, artifacts, i) for i in todo], gpus=max(s.gpus for s in stages)
    ):
        yield 1
    for transform in transforms:
        finish(transform.artifact, transform.identity, len(view), **_summary(transform, len(view)))


def _summary(transform: Transform, parts: int) -> dict[str, Any]:
    """Returns what a survey found in all parts; nothing for other stages."""
    if not isinstance(transform.stage, Survey):
        return {}
    tallies = (read_frame(transform.artifact.part(i, "tally")) for i in range(parts))
    return {"summary": transform.stage.summary(tallies)}


def _done(artifacts: tuple[Artifact, ...], part: int) -> bool:
    return all(counts_path(a, part).is_file() for a in artifacts)


def counts_path(artifact: Artifact, part: int) -> Path:
    """Returns the file whose presence says a part of a stage's step is done."""
    return artifact.folder / "counts" / f"part-{part:05d}.json"


def _run_part(task: _Task) -> None:
    rows = task.view.read(task.part)
    for stage, artifact in zip(task.stages, task.artifacts, strict=True):
        before = rows
        delta, rows, counts = propose(stage, rows)
        _write(artifact, task.part, delta)
        _quarantine(artifact, task.part, before, delta.ledger)
        by_source = tally_by_source(before, rows, delta.ledger)
        write_bytes(counts_path(artifact, task.part), orjson.dumps({"counts": asdict(counts), **by_source}))


def _write(artifact: Artifact, part: int, delta: Delta) -> None:
    if delta.patch is not None and not delta.patch.is_empty():
        write_frame(artifact.part(part), delta.patch)
    if delta.columns is not None:
        write_frame(artifact.part(part, "columns"), delta.columns)
    if delta.found is not None:
        write_frame(artifact.part(part, "matches"), delta.found.matches)
        write_frame(artifact.part(part, "tally"), delta.found.tally)
    write_frame(artifact.part(part, "ledger"), delta.ledger)


def _quarantine(artifact: Artifact, part: int, rows: pl.DataFrame, ledger: pl.DataFrame) -> None:
    """Keeps the rows a stage sends to quarantine, whole, so that nothing is lost with them."""
    sent = ledger.filter(pl.col("action") == "quarantine")
    if not sent.is_empty():
        held = rows[sent["row"]].with_columns(reason=sent["reason"])
        write_frame(artifact.part(part, "quarantine"), held)


def tally_by_source(before: pl.DataFrame, after: pl.DataFrame, ledger: pl.DataFrame) -> dict[str, Any]:
    """Returns rows before and after by source, and lines of the ledger by source, action and reason."""
    acted = ledger.with_columns(source=before["source"].gather(ledger["row"]))
    grouped = acted.group_by("source", "action", "reason").len().sort("source", "action", "reason")
    return {
        "before": _tally(before),
        "after": _tally(after),
        "reasons": [list(line) for line in grouped.iter_rows()],
    }


def _tally(rows: pl.DataFrame) -> dict[str, int]:
    return dict(sorted(rows["source"].value_counts().iter_rows()))


def finish(artifact: Artifact, identity: bytes, parts: int, **more: Any) -> None:
    """Sums the parts' counts, checks the law once more and marks the step complete; ``more`` is noted with it."""
    total, tally = sum_counts(artifact, parts)
    total.check(artifact.folder.name)
    artifact.finish(identity, {"parts": parts, "counts": asdict(total), **tally, **more})


def sum_counts(artifact: Artifact, parts: int) -> tuple[Counts, dict[str, Any]]:
    """Returns a step's counts over its parts, and its tallies by source."""
    total = Counts()
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    reasons: dict[tuple[str, str, str], int] = {}
    for part in range(parts):
        found = read_json(counts_path(artifact, part))
        total += Counts(**found["counts"])
        for source, number in found["before"].items():
            before[source] = before.get(source, 0) + number
        for source, number in found["after"].items():
            after[source] = after.get(source, 0) + number
        for source, action, reason, number in found["reasons"]:
            at = (source, action, reason)
            reasons[at] = reasons.get(at, 0) + number
    lines = [[*at, number] for at, number in sorted(reasons.items())]
    return total, {"before": before, "after": after, "reasons": lines}
