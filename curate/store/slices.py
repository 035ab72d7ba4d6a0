"""Slices: frames of one schema in one file, so that a task reads the slice meant for it and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import series_of, table_of
from curate.files import atomic_open
from curate.places import open_ranges
from curate.store.parts import damage_told


def write_slices(path: Path, slices: Iterable[pl.DataFrame]) -> None:
    """Writes at least one slice as one Arrow IPC file, a record batch each, atomically."""
    with atomic_open(path) as handle:
        writer = None
        for frame in slices:
            batch = _batch(frame)
            writer = writer or pa.ipc.new_file(handle, batch.schema)
            writer.write_batch(batch)
        assert writer is not None
        writer.close()


def _batch(frame: pl.DataFrame) -> pa.RecordBatch:
    table = table_of(frame)
    if frame.is_empty():
        return pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in table.schema], schema=table.schema)
    (batch,) = table.to_batches()
    return batch


def cut(frame: pl.DataFrame, slice_of: NDArray[np.integer], number: int) -> list[pl.DataFrame]:
    """Returns ``number`` frames: the rows of each slice, in their order, from a frame sorted by ``slice_of``."""
    bounds = np.searchsorted(slice_of, np.arange(number + 1))
    return [frame.slice(int(a), int(b - a)) for a, b in pairwise(bounds)]


def read_slice(path: Path, index: int) -> pl.DataFrame:
    """Reads one slice.

    Raises:
        StoreError: when the file is missing or damaged.
    """
    with damage_told(path), open_ranges(path) as handle:
        batch = pa.ipc.open_file(handle).get_batch(index)
    return pl.DataFrame([series_of(column).alias(name) for name, column in zip(batch.schema.names, batch, strict=True)])
