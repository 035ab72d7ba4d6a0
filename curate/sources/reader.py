"""Reading a source: its units of work, the records of one unit, the rows of one unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from curate.sources.columnar import column_records, column_units, excel_records
from curate.sources.csv_table import csv_records
from curate.sources.documents import text_records
from curate.sources.json_array import json_records
from curate.sources.jsonl import jsonl_records
from curate.sources.lines import LINE_LIMIT, line_units
from curate.sources.opening import transcoded
from curate.sources.records import Records
from curate.sources.spec import SourceFile, SourceSpec, Unit

PART_BYTES = 16 << 20
"""Input bytes of a unit of work."""


def units(spec: SourceSpec, files: Sequence[SourceFile], part_bytes: int = PART_BYTES) -> list[Unit]:
    """Returns the source's pieces of work, cut by the files' content only; an empty file has none."""
    found: list[Unit] = []
    for number, file in enumerate(files):
        if not file.size:
            continue
        if _by_lines(spec, file):
            found += line_units(number, file, part_bytes)
        elif file.kind in ("parquet", "arrow"):
            found += column_units(number, file, part_bytes)
        else:
            found.append(Unit(number, file, 0, -1, 1))
    return found


def _by_lines(spec: SourceSpec, file: SourceFile) -> bool:
    """Whether any line of the file can be read without those before it."""
    plain = not file.compression and not file.remote and not transcoded(file.encoding)
    return plain and (file.kind == "jsonl" or (file.kind == "text" and spec.split == "line"))


def records_of(spec: SourceSpec, unit: Unit, limit: int = LINE_LIMIT) -> Iterator[Records]:
    """Returns the unit's records, parsed but not yet rows."""
    match unit.file.kind:
        case "jsonl":
            return jsonl_records(unit, limit)
        case "json":
            return json_records(unit, limit)
        case "csv" | "tsv":
            return csv_records(unit, limit)
        case "xlsx":
            return excel_records(unit)
        case "parquet" | "arrow":
            return column_records(unit)
        case "text":
            return text_records(unit, spec.split, limit)
