"""Select: stages that compare rows, in three resumable phases: sketch → match and choose by bucket → ledger by part.

Sketches are shuffled by key into buckets whose number depends on the number of rows. An edge never leaves a key, so
each bucket is decided on its own, in bounded memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import polars as pl

from curate.executors import Executor
from curate.files import write_bytes
from curate.ledger import LEDGER_SCHEMA, count
from curate.stage import Select
from curate.steps.propose import seen_by
from curate.steps.transform import counts_path, finish, tally_by_source
from curate.store import Artifact, RowsView, read_frame, write_frame

ROWS_PER_BUCKET = 1_000_000


@dataclass(frozen=True)
class _Task:
    stage: Select
    view: RowsView
    artifact: Artifact
    buckets: int
    index: int


def run_select(
    stage: Select, view: RowsView, rows: int, artifact: Artifact, identity: bytes, executor: Executor
) -> Iterator[int]:
    """Runs a Select over all parts of the view (``rows`` rows in all), yielding after each part or bucket."""
    buckets = max(1, -(-rows // ROWS_PER_BUCKET)) if len(view) else 0

    def tasks(number: int, kind: str) -> list[_Task]:
        todo = [i for i in range(number) if not artifact.part(i, kind).is_file()]
        return [_Task(stage, view, artifact, buckets, i) for i in todo]

    for _ in executor.map(_sketch_part, tasks(len(view), "sketch"), gpus=stage.gpus):
        yield 1
    for _ in executor.map(_match_bucket, tasks(buckets, "verdicts")):
        yield 1
    todo = [i for i in range(len(view)) if not counts_path(artifact, i).is_file()]
    for _ in executor.map(_write_part, [_Task(stage, view, artifact, buckets, i) for i in todo]):
        yield 1
    finish(artifact, identity, len(view))
    for kind in ("sketch", "verdicts"):
        shutil.rmtree(artifact.folder / kind, ignore_errors=True)


def _sketch_part(task: _Task) -> None:
    """Sketches one part and sorts it by bucket, so that a bucket is one slice of each part's file."""
    sketch = sketched(task.stage, task.view.read(task.index), task.index << 32)
    sketch = sketch.with_columns(
        part=pl.lit(task.index, dtype=pl.UInt32), bucket=_bucket_of(sketch["key"], task.buckets)
    )
    write_frame(task.artifact.part(task.index, "sketch"), sketch.sort("bucket", "position"))


def sketched(stage: Select, rows: pl.DataFrame, start: int) -> pl.DataFrame:
    """Returns the sketch of the rows a stage sees with their ids, positions from ``start`` on, and who is protected."""
    place = seen_by(stage, rows)
    seen = rows[place]
    sketch = stage.sketch(seen)
    at = place.gather(sketch["row"])
    return sketch.with_columns(
        row=at,
        id=rows["id"].gather(at),
        position=at.cast(pl.UInt64) + start,
        protected=_protected(stage, seen).gather(sketch["row"]),
    )


def decided(stage: Select, bucket: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns a bucket's matched rows and the verdicts on them."""
    edges = stage.match(bucket)
    tied = pl.concat([edges["a"], edges["b"]]).unique()
    nodes = bucket.filter(pl.col("id").is_in(tied.implode()))
    return nodes, stage.choose(nodes, edges)


def _protected(stage: Select, rows: pl.DataFrame) -> pl.Series:
    if stage.protect is None:
        return pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True)
    return stage.protect.choose(rows)


def _bucket_of(keys: pl.Series, buckets: int) -> pl.Series:
    return (keys.cast(pl.UInt64) % buckets).cast(pl.UInt32)


def _slice(frame: pl.DataFrame, column: str, value: int) -> pl.DataFrame:
    start = frame[column].search_sorted(value, side="left")
    return frame.slice(start, frame[column].search_sorted(value, side="right") - start)


def _match_bucket(task: _Task) -> None:
    slices = [
        _slice(read_frame(task.artifact.part(part, "sketch")), "bucket", task.index) for part in range(len(task.view))
    ]
    bucket = pl.concat(slices).drop("bucket").sort("position")
    nodes, verdicts = decided(task.stage, bucket)
    placed = verdicts.join(nodes.select("id", "part", "row").unique("id"), on="id", how="left")
    write_frame(task.artifact.part(task.index, "verdicts"), placed.sort("part", "row"))


def _write_part(task: _Task) -> None:
    slices = [_slice(read_frame(task.artifact.part(b, "verdicts")), "part", task.index) for b in range(task.buckets)]
    verdicts = pl.concat(slices).sort("row")
    ledger = verdicts.with_columns(action=pl.lit("drop")).select(
        pl.col(name).cast(dtype) for name, dtype in LEDGER_SCHEMA.items()
    )
    write_frame(task.artifact.part(task.index, "ledger"), ledger)
    rows = task.view.read(task.index)
    after = rows.filter(~pl.int_range(rows.height, dtype=pl.UInt32, eager=True).is_in(ledger["row"].implode()))
    counts = count(rows.height, after.height, ledger)
    counts.check(f"stage {task.stage.name!r}")
    body: dict[str, Any] = {"counts": asdict(counts), **tally_by_source(rows, after, ledger)}
    write_bytes(counts_path(task.artifact, task.index), orjson.dumps(body))
