"""Tokenize: every surviving row once into the pool, flat buffers straight into Arrow columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from curate.arrow import arrow_bools, arrow_numbers, column_of
from curate.chat import EncodedRows, encode_rows
from curate.executors import Executor
from curate.files import atomic_open, write_bytes
from curate.ledger import count, lines
from curate.pool import POOL_SCHEMA
from curate.rows import ROW_SCHEMA
from curate.steps.spec import TokenizeSpec
from curate.steps.transform import counts_path, sum_counts, tally_by_source
from curate.store import Artifact, RowsView, read_json, write_frame
from curate.tokens import load_tokenizer


@dataclass(frozen=True)
class _Task:
    view: RowsView
    artifact: Artifact
    tokenizer: str
    spec: TokenizeSpec
    part: int


def run_tokenize(
    view: RowsView, artifact: Artifact, identity: bytes, tokenizer: str, spec: TokenizeSpec, executor: Executor
) -> Iterator[int]:
    """Tokenizes every part of the view that is not done, yielding after each."""
    artifact.begin()
    todo = [i for i in range(len(view)) if not counts_path(artifact, i).is_file()]
    for _ in range(len(view) - len(todo)):
        yield 1
    for _ in executor.map(_run_part, [_Task(view.some(i), artifact, tokenizer, spec, i) for i in todo]):
        yield 1
    counts, tally = sum_counts(artifact, len(view))
    counts.check(artifact.folder.name)
    artifact.finish(identity, {"parts": len(view), "counts": asdict(counts), **tally, **_stats(artifact, len(view))})


def _stats(artifact: Artifact, parts: int) -> dict[str, Any]:
    stats: dict[str, int] = {}
    engines: set[str] = set()
    ends: set[int] = set()
    for part in range(parts):
        found = read_json(counts_path(artifact, part))
        engines.add(found["engine"])
        ends.update(found["eos"])
        for name, number in found["stats"].items():
            stats[name] = stats.get(name, 0) + number
    return {"stats": stats, "engine": ", ".join(sorted(engines)), "eos": sorted(ends)}


def _run_part(task: _Task) -> None:
    rows = task.view.read(task.part)
    tokenizer = load_tokenizer(task.tokenizer, engine=task.spec.engine)
    encoded = encode_rows(rows, tokenizer, train_on=task.spec.train_on, control_tokens=task.spec.control_tokens)
    kept = rows[encoded.kept]
    table = pool_table(kept, encoded)
    with atomic_open(task.artifact.part(task.part)) as handle, pa.ipc.new_file(handle, table.schema) as writer:
        writer.write_table(table)
    ledger = lines(encoded.drops["row"], rows["id"], "drop", encoded.drops["reason"])
    write_frame(task.artifact.part(task.part, "ledger"), ledger)
    counts = count(rows.height, kept.height, ledger)
    counts.check(f"tokenize, part {task.part}")
    body = {
        "counts": asdict(counts),
        **tally_by_source(rows, kept, ledger),
        "stats": asdict(encoded.stats),
        "engine": tokenizer.engine,
        "eos": [] if tokenizer.eos is None else [tokenizer.eos.id],
    }
    write_bytes(counts_path(task.artifact, task.part), orjson.dumps(body))


def pool_table(rows: pl.DataFrame, encoded: EncodedRows) -> pa.Table:
    """Returns a pool part: the light columns of the kept rows beside their tokens and loss masks."""
    offsets = arrow_numbers(encoded.offsets)
    light = {name: column_of(rows[name]) for name in ("id", "group", "source", "ability")}
    columns = {
        **light,
        "domain": rows["domain"].to_arrow(),
        "input_ids": pa.LargeListArray.from_arrays(offsets, arrow_numbers(encoded.input_ids)),
        "loss_mask": pa.LargeListArray.from_arrays(offsets, arrow_bools(encoded.loss_mask)),
        "n_tokens": arrow_numbers(np.diff(encoded.offsets).astype(np.int32)),
        "n_trained": arrow_numbers(encoded.n_trained),
    }
    table = pa.table([columns[field.name] for field in POOL_SCHEMA], schema=POOL_SCHEMA)
    for name, column in mixing_columns(rows).items():
        table = table.append_column(name, column)
    return table


def mixing_columns(rows: pl.DataFrame) -> dict[str, pa.Array]:
    """Returns what a mixture may group or rank rows by, besides the pool's own columns: one value a row.

    The language a row states or the language stage found; the tag a stage chose or the first there is; every score
    that is a number.
    """
    found = [pl.col(name) for name in ("language", "language_detected") if name in rows.columns]
    tag = pl.col("primary_tag") if "primary_tag" in rows.columns else pl.col("tags").list.first()
    frame = rows.select(pl.coalesce(found).alias("language"), tag.alias("primary_tag"))
    columns = {name: column_of(frame[name]) for name in frame.columns}
    scores = (name for name in rows.columns if name not in ROW_SCHEMA and rows[name].dtype.is_numeric())
    return columns | {name: rows[name].to_arrow() for name in scores}
