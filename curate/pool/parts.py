"""A pool part: the columns of a tokenized row, and how a file of them is mapped."""

from __future__ import annotations

import mmap
from pathlib import Path

import pyarrow as pa

from curate.errors import StoreError
from curate.places import local_copy

POOL_SCHEMA = pa.schema(
    [
        ("id", pa.large_string()),
        ("group", pa.large_string()),
        ("source", pa.large_string()),
        ("ability", pa.large_string()),
        ("domain", pa.bool_()),
        ("input_ids", pa.large_list(pa.int32())),
        ("loss_mask", pa.large_list(pa.bool_())),
        ("n_tokens", pa.int32()),
        ("n_trained", pa.int32()),
    ]
)
"""One row is one tokenized row; the mask says which of its tokens are trained. Columns of scores may follow."""

_FILE_MAGIC = b"ARROW1"


def map_part(path: Path) -> tuple[mmap.mmap, list[pa.RecordBatch]]:
    """Maps one Arrow IPC part, file or stream form; returns the map and its record batches with the pool's columns.

    Raises:
        StoreError: when the part is missing, damaged or has other columns.
    """
    try:
        with local_copy(path).open("rb") as handle:
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        is_file = mapped[: len(_FILE_MAGIC)] == _FILE_MAGIC
        source = pa.py_buffer(mapped)
        batches = _file_batches(source) if is_file else list(pa.ipc.open_stream(source))
    except FileNotFoundError:
        raise StoreError(f"{path}: this pool part is missing; run the tokenize step again") from None
    except (pa.ArrowInvalid, ValueError) as error:
        raise StoreError(f"{path}: not a complete Arrow part ({error}); run the tokenize step again") from error
    return mapped, [_with_pool_columns(path, batch) for batch in batches if batch.num_rows]


def _file_batches(mapped: pa.Buffer) -> list[pa.RecordBatch]:
    reader = pa.ipc.open_file(mapped)
    return [reader.get_batch(k) for k in range(reader.num_record_batches)]


def _with_pool_columns(path: Path, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Returns the batch with the pool's columns first, in order; the names of list items may differ."""
    for column in POOL_SCHEMA:
        place = batch.schema.get_field_index(column.name)
        if place < 0:
            raise StoreError(f"{path}: no column {column.name!r}; a pool part has {', '.join(POOL_SCHEMA.names)}")
        found = batch.schema.field(place).type
        if not _same_type(found, column.type):
            raise StoreError(f"{path}: column {column.name!r} is {found}, a pool part has {column.type}")
    return batch.select([*POOL_SCHEMA.names, *(name for name in batch.schema.names if name not in POOL_SCHEMA.names)])


def _same_type(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_large_list(wanted):
        return pa.types.is_large_list(found) and found.value_type.equals(wanted.value_type)
    return bool(found.equals(wanted))
