"""Records of Parquet, Arrow and Excel files: tables turned to JSON lines batch by batch, then parsed like any other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import SourceError
from curate.sources.opening import CHUNK, open_binary
from curate.sources.records import Records
from curate.sources.spec import SourceFile, Unit


def check(file: SourceFile) -> None:
    """Reads a file's metadata.

    Raises:
        SourceError: when the file is damaged or of another kind.
    """
    try:
        if file.kind == "parquet":
            with _parquet(file) as table:
                table.metadata  # noqa: B018
        elif file.kind == "arrow":
            with open_binary(file.path) as stream:
                _arrow(stream).schema  # noqa: B018
        else:
            _workbook(file)
    except SourceError:
        raise
    except Exception as error:  # the readers of three libraries, each with errors of its own
        raise SourceError(f"{file.path}: can't be read as {file.kind} ({error})") from error


def _parquet(file: SourceFile) -> pq.ParquetFile:
    return pq.ParquetFile(open_binary(file.path) if file.remote else file.path)


def _arrow(stream: Any) -> Any:
    """A reader of the IPC file format, or else of the stream format."""
    magic = stream.read(6)
    stream.seek(0)
    return pa.ipc.open_file(stream) if magic == b"ARROW1" else pa.ipc.open_stream(stream)


def _workbook(file: SourceFile) -> Any:
    import fastexcel

    if not file.remote:
        return fastexcel.read_excel(file.path)
    with open_binary(file.path) as stream:
        return fastexcel.read_excel(stream.read())


def column_units(number: int, file: SourceFile, part_bytes: int) -> Iterator[Unit]:
    """Yields runs of row groups (Parquet) or record batches (Arrow IPC file) of about ``part_bytes``, or the file."""
    sizes = _part_sizes(file)
    if not sizes:
        yield Unit(number, file, 0, -1, 1)
        return
    start, line, size, rows = 0, 1, 0, 0
    for index, (part_rows, part_size) in enumerate(sizes):
        size, rows = size + part_size, rows + part_rows
        if size >= part_bytes or index == len(sizes) - 1:
            yield Unit(number, file, start, index + 1, line)
            start, line, size, rows = index + 1, line + rows, 0, 0


def _part_sizes(file: SourceFile) -> list[tuple[int, int]]:
    """Rows and bytes of each row group or record batch; empty for files that are only read through."""
    if file.kind == "parquet":
        with _parquet(file) as table:
            groups = (table.metadata.row_group(index) for index in range(table.metadata.num_row_groups))
            return [(group.num_rows, group.total_byte_size) for group in groups]
    if file.kind != "arrow" or file.remote:
        return []
    with pa.memory_map(file.path) as stream:
        reader = _arrow(stream)
        if not isinstance(reader, pa.ipc.RecordBatchFileReader):
            return []
        batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
        return [(batch.num_rows, batch.nbytes) for batch in batches]


def column_records(unit: Unit) -> Iterator[Records]:
    """Yields the unit's table rows as objects; dates become text, NaN null, columns of bytes text where they are UTF-8.

    A part of the file that is damaged ends the file, with one bad row.
    """
    line = unit.line
    try:
        for batch in _batches(unit):
            for piece in _pieces(batch):
                yield _records(unit, _frame(piece), line)
                line += piece.num_rows
    except (pa.ArrowException, OSError) as error:
        records = Records(unit.number, offsets=None)
        records.refuse(line, 0, "corrupt_file", str(error), b"")
        yield records


def _batches(unit: Unit) -> Iterator[pa.RecordBatch]:
    file = unit.file
    if file.kind == "parquet":
        with _parquet(file) as table:
            end = table.metadata.num_row_groups if unit.end < 0 else unit.end
            for group in range(unit.start, end):
                size = table.metadata.row_group(group)
                rows = max(1, min(4096, CHUNK * size.num_rows // max(1, size.total_byte_size)))
                yield from table.iter_batches(batch_size=rows, row_groups=[group])
        return
    with open_binary(file.path) if file.remote else pa.memory_map(file.path) as stream:
        reader = _arrow(stream)
        if isinstance(reader, pa.ipc.RecordBatchFileReader):
            end = reader.num_record_batches if unit.end < 0 else unit.end
            yield from (reader.get_batch(index) for index in range(unit.start, end))
        else:
            yield from reader


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cuts a record batch into pieces of about one chunk."""
    rows = max(1, batch.num_rows * CHUNK // max(CHUNK, batch.nbytes))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _frame(batch: pa.RecordBatch) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
    return frame.with_columns(pl.col(pl.Binary).cast(pl.String, strict=False))


def _records(unit: Unit, frame: pl.DataFrame, line: int) -> Records:
    buffer = io.BytesIO()
    frame.write_ndjson(buffer)
    raws = buffer.getvalue().split(b"\n")[: frame.height]
    return Records(unit.number, [orjson.loads(raw) for raw in raws], list(range(line, line + len(raws))), None, raws)


def excel_records(unit: Unit) -> Iterator[Records]:
    """Yields the rows of the first sheet as objects of text; ``line`` is the row number in the sheet."""
    sheet = _workbook(unit.file).load_sheet(0, dtypes="string")
    frame = pl.DataFrame(pl.from_arrow(sheet.to_arrow()))
    for start in range(0, frame.height, 4096):
        yield _records(unit, frame.slice(start, 4096), start + 2)


def sheet_names(file: SourceFile) -> list[str]:
    """Returns the names of a workbook's sheets."""
    return [str(name) for name in _workbook(file).sheet_names]
