"""Ingest: input files become rows with ids, in parts; bad records go to quarantine; every record is accounted for.

    units of files ─► batches of rows (part, origin, quarantine) ─► occurrences of equal content numbered ─► ids

A table of utterances is first spread over buckets by dialogue, then each bucket becomes a part of dialogues.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate.arrow_rows import ArrowRows
from curate.executors import Executor
from curate.files import write_bytes
from curate.sources import BATCHES_PER_PART, Batch, Shape, SourceFile, SourceSpec, Unit, read, units
from curate.steps.dialogues import Spread
from curate.steps.occurrences import number_occurrences
from curate.store import Artifact, BasePart, read_json, write_frame, write_table

PART_BYTES = 16 << 20
"""Bytes of input in one part: fixed, so that parts never depend on the machine."""

LEFT_OUT = "dropped_role"
"""The reason of utterances whose speaker the recipe maps to `drop`: asked for, so no fault of the data."""

_BAD_SCHEMA: dict[str, Any] = {
    "file": pl.UInt32,
    "line": pl.Int64,
    "offset": pl.Int64,
    "reason": pl.String,
    "detail": pl.String,
    "raw": pl.Binary,
}


@dataclass(frozen=True)
class Source:
    """A source ready to read: its spec, files and shape."""

    spec: SourceSpec
    files: tuple[SourceFile, ...]
    shape: Shape


@dataclass(frozen=True)
class _Task:
    spec: SourceSpec
    shape: Shape
    spread: Spread | None
    """Where utterances go; None for other shapes."""
    artifact: Artifact
    unit: Unit
    index: int


@dataclass(frozen=True)
class _BucketTask:
    spec: SourceSpec
    artifact: Artifact
    spread: Spread
    names: tuple[str, ...]
    bucket: int


def ingest_units(source: Source) -> list[Unit]:
    """Returns the pieces of work of a source, cut by content only."""
    return list(units(source.spec, source.files, PART_BYTES))


def run_ingest(
    source: Source, found: list[Unit], artifact: Artifact, identity: bytes, executor: Executor
) -> Iterator[int]:
    """Ingests the ``found`` units of a source, yielding after each."""
    artifact.begin()
    spread = _spread(source, artifact) if source.shape.format == "utterances" else None
    tasks = [_Task(source.spec, source.shape, spread, artifact, unit, i) for i, unit in enumerate(found)]
    metas = yield from _map(_run_unit, tasks, [_meta_path(artifact, "unit", i) for i in range(len(found))], executor)
    counts = _sum(metas)
    if source.shape.format == "utterances":
        grouped = yield from _group(source, artifact, metas, executor)
        utterances = counts.pop("rows")
        gathered = _sum(grouped)
        assert utterances == gathered["lines"] + gathered["quarantined"] + gathered["left_out"]
        counts |= {"rows": gathered["rows"], "lines": gathered["lines"], "left_out": gathered["left_out"]}
        counts["quarantined"] += gathered["quarantined"]
        metas = [{**meta, "parts": []} for meta in metas] + grouped
    assert counts["records"] == counts["lines"] + counts["quarantined"] + counts["left_out"] + counts["blank"]
    parts = [part for meta in metas for part in meta["parts"]]
    repeats = number_occurrences(artifact.folder, parts, counts["rows"], executor)
    meta = {
        "parts": parts,
        "quarantine": [part for meta in metas for part in meta["quarantine"]],
        "counts": {**counts, "repeats": repeats},
        "files": relative_names(source.files),
    }
    artifact.finish(identity, meta)
    artifact.clear()


def _map(
    fn: Callable[[Any], None], tasks: Sequence[Any], paths: list[Path], executor: Executor
) -> Generator[int, None, list[dict[str, Any]]]:
    """Runs the tasks whose account is not written yet, yielding for each; returns all accounts in order."""
    todo = [task for task, path in zip(tasks, paths, strict=True) if not path.is_file()]
    for _ in range(len(tasks) - len(todo)):
        yield 1
    for _ in executor.map(fn, todo):
        yield 1
    return [read_json(path) for path in paths]


def _group(
    source: Source, artifact: Artifact, metas: list[dict[str, Any]], executor: Executor
) -> Generator[int, None, list[dict[str, Any]]]:
    """Gathers the spread utterances of each bucket into dialogues."""
    spread = _spread(source, artifact)
    names = tuple(part for meta in metas for part in meta["parts"])
    tasks = [_BucketTask(source.spec, artifact, spread, names, b) for b in range(spread.buckets)]
    return (yield from _map(_run_bucket, tasks, [_meta_path(artifact, "bucket", t.bucket) for t in tasks], executor))


def _spread(source: Source, artifact: Artifact) -> Spread:
    return Spread.of(artifact.folder, sum(f.size for f in source.files))


def _sum(metas: list[dict[str, Any]]) -> dict[str, int]:
    names = ("records", "rows", "lines", "quarantined", "left_out", "blank")
    return {name: sum(meta["counts"][name] for meta in metas) for name in names}


def base_parts(artifact: Artifact) -> tuple[BasePart, ...]:
    """Returns the parts of a finished ingest step."""
    return tuple(BasePart(artifact.folder, name) for name in artifact.meta["parts"])


def relative_names(files: tuple[SourceFile, ...]) -> list[str]:
    """Returns the files' names below the folder they share: what is written down never depends on where data lies."""
    paths = [f.path for f in files]
    if len(paths) == 1:
        return [os.path.basename(paths[0])]
    shared = os.path.commonpath([os.path.dirname(p) for p in paths])
    return [Path(os.path.relpath(p, shared)).as_posix() for p in paths]


def _meta_path(artifact: Artifact, kind: str, index: int) -> Path:
    return artifact.folder / "units" / f"{kind}-{index:05d}.json"


def _run_unit(task: _Task) -> None:
    """Reads one unit; its account is written last, so a killed unit is simply read again."""
    account = _Account(task.artifact)
    batches = read(task.spec, task.shape, task.unit)
    for number, batch in enumerate(_joined(batches)):
        account.add(f"part-{task.index:05d}-{number:05d}", batch, task.spread)
    account.write(_meta_path(task.artifact, "unit", task.index))


def _joined(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yields batches joined to parts, a fixed number at a time, so that parts never depend on the machine."""
    while held := list(islice(batches, BATCHES_PER_PART)):
        yield Batch(
            ArrowRows.joined([b.held for b in held]),
            pl.concat([b.origin for b in held]),
            [bad for b in held for bad in b.bad],
            sum(b.blank for b in held),
        )


def _run_bucket(task: _BucketTask) -> None:
    account = _Account(task.artifact)
    account.add(f"part-{task.bucket:05d}", task.spread.gather(task.spec, list(task.names), task.bucket), None)
    account.write(_meta_path(task.artifact, "bucket", task.bucket))


class _Account:
    """Writes batches and counts what was in them."""

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._parts: list[str] = []
        self._quarantine: list[str] = []
        self._counts = dict.fromkeys(("records", "rows", "lines", "quarantined", "left_out", "blank"), 0)

    def add(self, name: str, batch: Batch, spread: Spread | None) -> None:
        """Writes one batch: rows or spread utterances, and what was refused."""
        if len(batch.held):
            if spread is None:
                _write_part(self._artifact.folder, name, batch)
            else:
                spread.write(name, batch)
            self._parts.append(name)
        if batch.bad:
            write_frame(self._artifact.folder / "quarantine" / f"{name}.arrow", _bad_frame(batch))
            self._quarantine.append(name)
        left_out = sum(bad.reason == LEFT_OUT for bad in batch.bad)
        found = (batch.lines, len(batch.held), batch.origin["lines"].sum(), len(batch.bad) - left_out, left_out)
        for count, number in zip(self._counts, (*found, batch.blank), strict=True):
            self._counts[count] += int(number)

    def write(self, path: Path) -> None:
        """Writes the account."""
        body = {"parts": self._parts, "quarantine": self._quarantine, "counts": self._counts}
        write_bytes(path, orjson.dumps(body))


def _write_part(folder: Path, name: str, batch: Batch) -> None:
    """Writes a batch's rows (their content hash as id) and where each came from."""
    labels = batch.held.labels.with_columns(id="content_hash").drop("content_hash")
    names = tuple(column for column in batch.held.names if column != "content_hash")
    write_frame(folder / "origin" / f"{name}.arrow", batch.origin)
    write_table(folder / f"{name}.arrow", replace(batch.held, names=names, labels=labels).table())


def _bad_frame(batch: Batch) -> pl.DataFrame:
    columns = {name: [getattr(bad, name) for bad in batch.bad] for name in _BAD_SCHEMA}
    return pl.DataFrame(columns, schema=_BAD_SCHEMA)
