"""Few rows and many are written alike."""

from __future__ import annotations

import orjson
import polars as pl

from curate.json_lines import FEW, jsonl
from curate.rows import ROW_SCHEMA


def test_many_rows_are_written_as_few() -> None:
    """Line by line, the same bytes."""
    said = [[{"role": "user", "content": f"第{n}行\n"}, {"role": "assistant", "content": "“好”"}] for n in range(FEW)]
    records = [{"id": str(n), "messages": turns, "meta": '{"n":1}'} for n, turns in enumerate(said)]
    rows = pl.DataFrame(records, schema=ROW_SCHEMA)
    lines = bytes(jsonl(rows)).splitlines(keepends=True)
    assert lines == [bytes(jsonl(rows[n])) for n in range(FEW)]
    assert orjson.loads(lines[-1])["messages"][0]["content"] == f"第{FEW - 1}行\n"
