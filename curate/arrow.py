"""Arrow arrays out of numpy and lists of strings, into numpy and polars, sharing memory.

`pa.array`, `to_numpy`, `pl.Series` of an Arrow array and Arrow's own compute functions do the same, but import pandas (where it is
installed) or Arrow's compute module on their way, which takes longer than the work on a part of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray


def arrow_numbers(values: NDArray[Any]) -> pa.Array:
    """Returns a column of numbers over the same memory (copied when it is not contiguous)."""
    flat = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [None, pa.py_buffer(flat)])


def arrow_bools(values: NDArray[np.bool_]) -> pa.BooleanArray:
    """Returns a column of truth values, eight a byte."""
    bits = np.packbits(values, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])


def arrow_strings(texts: Sequence[str | None]) -> pa.LargeStringArray:
    """Returns a column of strings."""
    return column_of(pl.Series(texts, dtype=pl.String))


def numbers_of(column: pa.Array) -> NDArray[Any]:
    """Returns the values of a column of numbers without nulls, read-only, over the same memory."""
    values = column.buffers()[1]
    dtype = np.dtype(column.type.to_pandas_dtype())
    if values is None:
        return np.empty(0, dtype)
    return np.frombuffer(values, dtype, len(column), column.offset * dtype.itemsize)


def bits_of(column: pa.BooleanArray) -> NDArray[np.uint8]:
    """Returns the bytes of a column of truth values, eight a byte from the lowest; its first is bit ``column.offset``."""
    values = column.buffers()[1]
    return np.empty(0, np.uint8) if values is None else np.frombuffer(values, np.uint8)


def texts_of(texts: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns the UTF-8 bytes of a string column, and where each text begins in them, and the last ends; a null is empty."""
    return text_bytes(column_of(texts.rechunk()))


def text_bytes(array: pa.LargeStringArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns what `texts_of` returns, of an Arrow column, over the same memory."""
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    data = array.buffers()[2]
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), offsets


def column_of(series: pl.Series) -> pa.Array:
    """Returns a series as an Arrow column, strings as plain `large_string` and not as views."""
    return series.to_arrow(compat_level=pl.CompatLevel.oldest())


def series_of(column: pa.Array) -> pl.Series:
    """Returns an Arrow column as a series."""
    return pl.Series(_Exported(column))


def frame_of(table: pa.Table) -> pl.DataFrame:
    """Returns an Arrow table as a frame."""
    return pl.DataFrame(_ExportedTable(table))


def table_of(frame: pl.DataFrame) -> pa.Table:
    """Returns a frame as an Arrow table in one piece, with 64-bit lists and strings."""
    return frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Returns a column of a table in one piece, copied only where it is not."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def rows_at(table: pa.Table, places: NDArray[Any]) -> pa.Table:
    """Returns some rows of a table, copied."""
    from pyarrow._compute import call_function  # the module with the same in public takes eight times as long to load

    taken: pa.Table = call_function("take", [table, arrow_numbers(places)])
    return taken


def lists_of(lists: pl.Series) -> tuple[NDArray[np.int64], dict[str, pa.Array]]:
    """Returns the fields of all structs in a column of lists of structs, by name, and where in them each list begins,
    and the last ends.
    """
    return fields_of(column_of(lists.rechunk()))


def fields_of(array: pa.LargeListArray) -> tuple[NDArray[np.int64], dict[str, pa.Array]]:
    """Returns what `lists_of` does, of an Arrow column."""
    bounds = numbers_of(array.offsets)
    structs = array.values.slice(int(bounds[0]), int(bounds[-1] - bounds[0]))
    return bounds - bounds[0], dict(zip((field.name for field in structs.type), structs.flatten(), strict=True))


def texts_at(texts: pa.LargeStringArray, places: NDArray[Any]) -> list[str]:
    """Returns a few of a column's strings."""
    return [texts[place].as_py() for place in places.tolist()]


class _Exported:
    """An Arrow column that shows nothing but Arrow's C interface."""

    def __init__(self, column: pa.Array) -> None:
        self._column = column

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """Returns the capsules of the C interface."""
        capsules: tuple[object, object] = self._column.__arrow_c_array__(requested_schema)
        return capsules


class _ExportedTable:
    """An Arrow table that shows nothing but Arrow's C interface."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Returns the capsule of the C interface."""
        return self._table.__arrow_c_stream__(requested_schema)
