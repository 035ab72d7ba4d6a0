"""Loading a whole source in one call, with its account checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curate.rows import ROW_SCHEMA, content_bytes, row_hash
from curate.sources import (
    PART_BYTES,
    BadRow,
    Batch,
    Shape,
    SourceFile,
    SourceSpec,
    Unit,
    detect,
    group_utterances,
    read,
    resolve,
    units,
)


@dataclass(frozen=True)
class Loaded:
    """Everything a source gave."""

    files: list[SourceFile]
    shape: Shape
    units: list[Unit]
    rows: pl.DataFrame
    origin: pl.DataFrame
    bad: list[BadRow]
    blank: int

    @property
    def lines(self) -> int:
        """How many input records are accounted for."""
        return int(self.origin["lines"].sum()) + len(self.bad) + self.blank

    @property
    def reasons(self) -> list[str]:
        """The reasons of the bad rows, in order."""
        return [bad.reason for bad in self.bad]

    def messages(self, row: int = 0, field: str = "messages") -> list[dict[str, Any]]:
        """The messages of one row without nulls."""
        return [{k: v for k, v in m.items() if v is not None} for m in self.rows[field][row].to_list()]


def _check_batch(spec: SourceSpec, batch: Batch) -> None:
    assert batch.rows.height == batch.origin.height
    if "content_hash" in batch.rows.columns:
        assert {n: d for n, d in batch.rows.schema.items() if n != "content_hash"} == ROW_SCHEMA
        hashes = [row_hash(spec.name, content_bytes(row)) for row in batch.rows.to_dicts()]
        assert batch.rows["content_hash"].to_list() == hashes


def load_source(part_bytes: int = PART_BYTES, limit: int = 64 << 20, **fields: Any) -> Loaded:
    """Resolves, detects, cuts and reads a source; dialogues of utterance tables are gathered."""
    spec = SourceSpec.model_validate({"name": "s", **fields})
    files = resolve(spec)
    shape = detect(spec, files)
    pieces = units(spec, files, part_bytes)
    batches = [batch for unit in pieces for batch in read(spec, shape, unit, limit)]
    for batch in batches:
        _check_batch(spec, batch)
    bad = [row for batch in batches for row in batch.bad]
    blank = sum(batch.blank for batch in batches)
    if shape.format == "utterances" and batches:
        grouped = group_utterances(spec, pl.concat([batch.rows for batch in batches]))
        _check_batch(spec, grouped)
        return Loaded(files, shape, pieces, grouped.rows, grouped.origin, bad + grouped.bad, blank)
    rows = pl.concat([batch.rows for batch in batches]) if batches else pl.DataFrame()
    origin = pl.concat([b.origin for b in batches]) if batches else pl.DataFrame(schema={"lines": pl.UInt32})
    return Loaded(files, shape, pieces, rows, origin, bad, blank)


@pytest.fixture
def load() -> Callable[..., Loaded]:
    """The function that loads a source."""
    return load_source


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Writes records (objects, or bytes as they are) as one file of lines."""

    def write(*records: Any, name: str = "data.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(b"".join((r if isinstance(r, bytes) else orjson.dumps(r)) + b"\n" for r in records))
        return path

    return write
