"""Rows as JSON records, the way a person or another tool reads them: nulls left out, JSON columns parsed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl

from curate.rows import CHAT_FIELDS

JSON_COLUMNS = ("tools", "profile", "meta")
"""Columns that hold JSON as text."""


def records(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yields each row as a record without its null fields."""
    for row in rows.iter_rows(named=True):
        yield _record(row)


def _record(row: dict[str, Any]) -> dict[str, Any]:
    record = {name: value for name, value in row.items() if value is not None}
    for field in CHAT_FIELDS:
        if field in record:
            record[field] = [message_record(m) for m in record[field]]
    for name in JSON_COLUMNS:
        if name in record:
            record[name] = orjson.loads(record[name])
    return record


def message_record(message: dict[str, Any]) -> dict[str, Any]:
    """Returns one message in the OpenAI form: null fields left out, tool calls as objects."""
    record = {name: value for name, value in message.items() if value is not None}
    if "tool_calls" in record:
        record["tool_calls"] = orjson.loads(record["tool_calls"])
    return record
