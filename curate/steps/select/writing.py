"""The last phase of a Select, by part: its ledger, the groups that changed, and what it counted."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
import polars as pl

from curate.files import write_bytes
from curate.ledger import LEDGER_SCHEMA, count
from curate.steps.select.indexing import index_part
from curate.steps.select.job import Job
from curate.steps.transform import counts_path, tally_by_source
from curate.store import apply_delta, read_frame, read_slice, write_frame


def write_part(task: tuple[Job, int]) -> None:
    """Writes what becomes of one part; the counts come last and mark it done."""
    job, part = task
    rows = read_frame(job.part(part, "rows"))
    verdicts = read_slice(job.part(0, "verdicts"), part)
    ledger = verdicts.with_columns(id=rows["id"].gather(verdicts["row"]), action=pl.lit("drop")).select(
        pl.col(name).cast(dtype) for name, dtype in LEDGER_SCHEMA.items()
    )
    groups = _written_groups(job, part, rows["group"])
    if job.stage.indexes:
        index_part(job, part, ledger["row"], groups)
    write_frame(job.artifact.part(part, "ledger"), ledger)
    after = apply_delta(rows, ledger, patch=None, columns=None)
    counts = count(rows.height, after.height, ledger)
    counts.check(f"stage {job.stage.name!r}")
    body: dict[str, Any] = {"counts": asdict(counts), **tally_by_source(rows, after, ledger)}
    write_bytes(counts_path(job.artifact, part), orjson.dumps(body))


def _written_groups(job: Job, part: int, groups: pl.Series) -> pl.Series:
    """Returns the part's groups as they are now, and writes them as a column if one is renamed."""
    renamed = read_frame(job.part(0, "groups"))
    if renamed.is_empty():
        return groups
    found = pl.DataFrame({"old": groups}).join(renamed, on="old", how="left", maintain_order="left")
    now = found.select(group=pl.coalesce("new", "old"))
    if found["new"].null_count() < found.height:
        write_frame(job.artifact.part(part, "columns"), now)
    return now["group"]
