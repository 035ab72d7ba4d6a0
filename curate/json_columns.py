"""Rows as JSON Lines, written column by column into one buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import arrow_strings, column_of, lists_of, series_of, text_bytes
from curate.json_loop import measure, put, tidy
from curate.records import JSON_COLUMNS
from curate.rows import CHAT_FIELDS

Longs = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST, _COMMA, _NEWLINE = b"{}[],\n"
_TRUTHS = np.frombuffer(b"falsetrue", np.uint8)
_TRUTH_ENDS = np.array([0, 5, 9])


def written_lines(rows: pl.DataFrame) -> memoryview:
    """Returns what `curate.json_lines.jsonl` does, of many rows."""
    members = [_member(column) for column in rows.get_columns() if column.null_count() < rows.height]
    sizes = _sizes(members, rows.height)
    bounds = _bounds(sizes + 1)
    out = np.empty(bounds[-1], np.uint8)
    _write(members, out, bounds[:-1])
    out[bounds[1:] - 1] = _NEWLINE
    return out.data


class _Member(Protocol):
    """A member of objects, where it is there."""

    def measure(self, total: Longs) -> None:
        """Adds to each object's total how many bytes it takes, a comma among them."""

    def put(self, out: Bytes, places: Longs) -> None:
        """Writes it at its place in each object and moves the places on."""


@dataclass(frozen=True)
class _Values:
    """A member of texts to be quoted, or of JSON as it is: the bytes ``starts:ends`` of ``data``."""

    name: Bytes
    data: Bytes
    starts: Longs
    ends: Longs
    there: NDArray[np.bool_]
    quoted: bool = False

    def measure(self, total: Longs) -> None:
        measure(total, self.name.size, self.data, self.starts, self.ends, self.there, self.quoted)

    def put(self, out: Bytes, places: Longs) -> None:
        put(out, places, self.name, self.data, self.starts, self.ends, self.there, self.quoted)


@dataclass(frozen=True)
class _Lists:
    """A member of lists of objects: list i has the objects ``bounds[i]:bounds[i + 1]``, none where it is not there."""

    name: Bytes
    bounds: Longs
    there: NDArray[np.bool_]
    members: Sequence[_Member]

    def measure(self, total: Longs) -> None:
        total += np.where(self.there, self.name.size + 1 + self._lengths, 0)

    @cached_property
    def _before(self) -> Longs:
        """How many bytes all objects before each take, and all together."""
        return _bounds(_sizes(self.members, int(self.bounds[-1])))

    @cached_property
    def _lengths(self) -> Longs:
        """How many bytes each list takes."""
        between = np.maximum(np.diff(self.bounds) - 1, 0)
        return self._before[self.bounds[1:]] - self._before[self.bounds[:-1]] + between + 2

    def put(self, out: Bytes, places: Longs) -> None:
        nothing = np.zeros(places.size, np.int64)
        put(out, places, self.name, out[:0], nothing, nothing, self.there, False)
        first, counts = self.bounds[:-1], np.diff(self.bounds)
        number = np.arange(self.bounds[-1]) - np.repeat(first, counts)
        starts = np.repeat(places + 1 - self._before[first], counts) + self._before[:-1] + number
        _write(self.members, out, starts)
        out[starts[number > 0] - 1] = _COMMA
        out[places[self.there]] = _OPEN_LIST
        places += np.where(self.there, self._lengths, 0)
        out[places[self.there] - 1] = _CLOSE_LIST


def _bounds(sizes: Longs) -> Longs:
    """Returns where each begins when they stand side by side, and where the last ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])


def _sizes(members: Sequence[_Member], number: int) -> Longs:
    """Returns how many bytes each of so many objects takes."""
    total = np.zeros(number, np.int64)
    for member in members:
        member.measure(total)
    return total + 2 - (total > 0)


def _write(members: Sequence[_Member], out: Bytes, starts: Longs) -> None:
    """Writes objects where they start."""
    out[starts] = _OPEN
    places = starts + 1
    for member in members:
        member.put(out, places)
    out[places] = _CLOSE


def _member(column: pl.Series) -> _Member:
    if column.name not in CHAT_FIELDS:
        return _values(column.name, column_of(column.rechunk()))
    bounds, fields = lists_of(column)
    filled = [_values(name, field) for name, field in fields.items() if field.null_count < len(field)]
    return _Lists(_key(column.name), bounds, np.array(column.is_not_null().to_numpy()), filled)


def _values(name: str, column: pa.Array) -> _Values:
    there = _there(column)
    if pa.types.is_boolean(column.type):
        truths = series_of(column).fill_null(False).to_numpy().astype(np.int64)
        return _Values(_key(name), _TRUTHS, _TRUTH_ENDS[truths], _TRUTH_ENDS[truths + 1], there)
    text = pa.types.is_large_string(column.type)
    quoted = text and name not in (*JSON_COLUMNS, "tool_calls")
    data, offsets = text_bytes(column if quoted else _spelled(column, there))
    return _Values(_key(name), data, offsets[:-1], offsets[1:], there, quoted)


def _spelled(column: pa.Array, there: NDArray[np.bool_]) -> pa.LargeStringArray:
    """Returns values, or what their texts say, as `orjson` writes it."""
    values = series_of(column)
    if not pa.types.is_large_string(column.type):
        return arrow_strings([None if v is None else orjson.dumps(v).decode() for v in values.to_list()])
    untidy = np.flatnonzero(there & ~tidy(*text_bytes(column)))
    if not untidy.size:
        return column
    spelled = [orjson.dumps(orjson.loads(text)).decode() for text in values.gather(untidy).to_list()]
    return column_of(values.scatter(untidy, pl.Series(spelled, dtype=pl.String)))


def _there(column: pa.Array) -> NDArray[np.bool_]:
    if not column.null_count:
        return np.ones(len(column), np.bool_)
    return series_of(column).is_not_null().to_numpy()


def _key(name: str) -> Bytes:
    return np.frombuffer(orjson.dumps(name) + b":", np.uint8)
