"""Parts: frames as single Arrow IPC files that commit atomically, and the accounts beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import frame_of, rows_at
from curate.errors import StoreError
from curate.files import atomic_open
from curate.places import local_copy


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """Writes a frame as an Arrow IPC file with 64-bit lists and strings, atomically."""
    with atomic_open(path) as handle:
        frame.rechunk().write_ipc(handle, compat_level=pl.CompatLevel.oldest())


def write_table(path: Path, table: pa.Table) -> None:
    """Writes a table in one piece as an Arrow IPC file, atomically."""
    with atomic_open(path) as handle, pa.ipc.new_file(handle, table.schema) as writer:
        writer.write_table(table)


def read_frame(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """Reads a frame, or only some of its columns.

    A whole frame lies over the mapped file as far as that goes. Columns are copied: they may be held for many parts at
    once, and a mapped file takes more memory than a few of its columns.

    Raises:
        StoreError: when the file is missing or damaged.
    """
    if columns is None:
        return frame_of(read_table(path))
    place = local_copy(path)
    with damage_told(path):
        return _copied(place, columns)


def read_table(path: Path) -> pa.Table:
    """Reads a frame as it is stored, over the mapped file.

    Raises:
        StoreError: when the file is missing or damaged.
    """
    place = local_copy(path)
    with damage_told(path):
        return _mapped(place)


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Has a file that can't be read told as a part of the store that is damaged.

    Raises:
        StoreError: when it is.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"{path}: this part of the store can't be read ({error}); delete its folder and run again"
        ) from error


def _mapped(place: Path) -> pa.Table:
    with pa.memory_map(str(place)) as file:
        table = pa.ipc.open_file(file).read_all()
    table.validate()
    return table


def _copied(place: Path, columns: list[str]) -> pl.DataFrame:
    with pa.OSFile(str(place)) as file:
        schema = pa.ipc.open_file(file).schema
        wanted = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in columns])
        table = pa.ipc.open_file(file, options=wanted).read_all()
    table.validate()
    return frame_of(table).select(columns)


def read_rows(path: Path, places: NDArray[np.integer], columns: list[str] | None = None) -> pl.DataFrame:
    """Reads some rows of a frame, or some of their columns; what lies between them is not touched.

    Raises:
        StoreError: when the file is missing or damaged.
    """
    table = read_table(path)
    return frame_of(rows_at(table if columns is None else table.select(columns), places))


def read_json(path: Path) -> dict[str, Any]:
    """Reads an account of the store: one JSON object.

    Raises:
        StoreError: when the file is missing or damaged.
    """
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise StoreError(f"{path} can't be read ({error}); delete its folder and run again") from error
    if not isinstance(found, dict):
        raise StoreError(f"{path} holds no account of a step; delete its folder and run again")
    return found
