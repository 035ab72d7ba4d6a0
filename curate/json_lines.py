"""Rows as JSON Lines: a line of JSON a row, as `orjson.dumps` writes its record."""

from __future__ import annotations

import orjson
import polars as pl

from curate.arrow_rows import ArrowRows
from curate.records import records

FEW = 1000
"""Rows that are written one by one before compiled loops would be loaded."""


def jsonl(rows: pl.DataFrame) -> bytes | memoryview:
    """Returns the rows as JSON Lines: null fields left out, JSON columns as objects."""
    if rows.height >= FEW:
        return arrow_jsonl(ArrowRows.of(rows))
    return b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records(rows))


def arrow_jsonl(rows: ArrowRows) -> bytes | memoryview:
    """Returns what `jsonl` does, of rows whose turns are Arrow's."""
    if len(rows) < FEW:
        return jsonl(rows.frame())
    from curate.json_columns import written_lines

    return written_lines(rows)
