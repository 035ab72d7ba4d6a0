"""Rows as JSON Lines, written column by column into one buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import arrow_strings, column_of, numbers_of, one_chunk, series_of, text_bytes
from curate.arrow_rows import ArrowRows
from curate.json_loop import growth, put, tidy
from curate.records import JSON_COLUMNS
from curate.rows import CHAT_FIELDS

Longs = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST, _COMMA, _NEWLINE = b"{}[],\n"
_TRUTHS = np.frombuffer(b"falsetrue", np.uint8)
_TRUTH_ENDS = np.array([0, 5, 9])


def written_lines(rows: ArrowRows) -> memoryview:
    """Returns what `curate.json_lines.jsonl` does, of many rows."""
    members = [member for name in rows.names if (member := _member(rows, name))]
    sizes = _sizes(members, len(rows))
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

    def at(self, places: Longs) -> _Values:
        """Returns the members of some objects."""
        return replace(self, starts=self.starts[places], ends=self.ends[places], there=self.there[places])

    @cached_property
    def _more(self) -> Longs:
        """By how many bytes each value grows."""
        if self.quoted:
            found: Longs = growth(self.data, self.starts, self.ends, self.there)
            return found
        return np.zeros(self.starts.size, np.int64)

    def measure(self, total: Longs) -> None:
        total += np.where(self.there, self.name.size + 1 + self.ends - self.starts + self._more, 0)

    def put(self, out: Bytes, places: Longs) -> None:
        put(out, places, self.name, self.data, self.starts, self.ends, self.there, self._more)


@dataclass(frozen=True)
class _Lists:
    """A member of lists of objects: list i has the next ``counts[i]`` objects, none where it is not there."""

    name: Bytes
    counts: Longs
    there: NDArray[np.bool_]
    members: Sequence[_Member]

    def measure(self, total: Longs) -> None:
        total += np.where(self.there, self.name.size + 1 + self._lengths, 0)

    @cached_property
    def _bounds(self) -> Longs:
        """Where the objects of each list begin, and the last end."""
        return _bounds(self.counts)

    @cached_property
    def _before(self) -> Longs:
        """How many bytes all objects before each take, and all together."""
        return _bounds(_sizes(self.members, int(self._bounds[-1])))

    @cached_property
    def _lengths(self) -> Longs:
        """How many bytes each list takes."""
        between = np.maximum(self.counts - 1, 0)
        return np.diff(self._before[self._bounds]) + between + 2

    def put(self, out: Bytes, places: Longs) -> None:
        nothing = np.zeros(places.size, np.int64)
        put(out, places, self.name, out[:0], nothing, nothing, self.there, nothing)
        first = self._bounds[:-1]
        number = np.arange(self._bounds[-1]) - np.repeat(first, self.counts)
        starts = np.repeat(places + 1 - self._before[first], self.counts) + self._before[:-1] + number
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


def _member(rows: ArrowRows, name: str) -> _Member | None:
    """Returns a column as a member; None when it holds nothing but nulls."""
    if name not in CHAT_FIELDS:
        column = column_of(rows.labels[name].rechunk())
        return _values(name, column) if column.null_count < len(column) else None
    lists = one_chunk(rows.turns[name])
    if lists.null_count == len(lists):
        return None
    there, bounds = _there(lists)[rows.places], numbers_of(lists.offsets)
    first, counts = bounds[rows.places], np.where(there, np.diff(bounds)[rows.places], 0)
    number = np.arange(counts.sum()) + np.repeat(first - _bounds(counts)[:-1], counts)
    fields = zip((field.name for field in lists.type.value_type), lists.values.flatten(), strict=True)
    filled = [_values(field, column).at(number) for field, column in fields if column.null_count < len(column)]
    return _Lists(_key(name), counts, there, filled)


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
