"""Blocks of plain chat lines, read column by column: nothing in them needs a look of its own.

Arrow's JSON reader makes columns of the lines, polars their canonical JSON. A block with anything Arrow reads in a
way of its own (nulls, missing or further fields, keys named twice, several records a line, text that is not UTF-8) is
left to the reader of single records, which says what is wrong with which.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import numbers_of, series_of
from curate.sources.flat_messages import OUR_ROLES, joined_messages
from curate.sources.records import suspicious

_NEWLINE, _OPEN, _CLOSE = b"\n{}"
_SPOKEN = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_TYPES = {str: pa.string(), bool: pa.bool_(), int: pa.int64()}


@dataclass(frozen=True)
class PlainLines:
    """The chats of a block of lines, one a line."""

    messages: pl.Series
    texts: list[bytes]
    """The canonical JSON of each line's training content."""
    meta: pl.Series
    """The JSON text of each line's other fields; null where there are none."""
    starts: NDArray[np.int64]
    """Where each line starts in the block."""


def plain_lines(data: bytes, column: str) -> PlainLines | None:
    """Returns the chats of whole lines of UTF-8, when each is an object with the same fields: ``column``, a list of
    messages with a role of ours, a text and nothing else, the first of them not blank; and texts, integers and truth
    values. None when any is not.
    """
    starts = _starts(data)
    schema = _schema(data[: data.find(b"\n") + 1 or len(data)], column) if starts is not None else None
    if starts is None or schema is None or (table := _table(data, schema)) is None or table.num_rows != len(starts):
        return None
    lists = table.column(column).chunk(0)
    flat = series_of(lists.values).struct.unnest()
    lengths = np.diff(numbers_of(lists.offsets)).astype(np.int64)
    keys = len(starts) * len(schema) + 2 * flat.height
    nulls = any(one.null_count for one in (*table.columns, lists.values)) or any(flat.null_count().row(0))
    if nulls or not lengths.all() or suspicious(data, None, keys) or not _readable(flat, lengths):
        return None
    messages = joined_messages(lengths, flat.to_dict())
    rest = [series_of(table.column(name).chunk(0)).alias(name) for name in schema.names if name != column]
    meta = _encoded(rest) if rest else pl.repeat(None, len(starts), dtype=pl.String, eager=True)
    return PlainLines(messages, _texts(messages), meta, starts)


def _starts(data: bytes) -> NDArray[np.int64] | None:
    """Returns where the lines start, or None when one of them does not begin and end with a brace.

    No brace may follow a closing one inside a value, so an object that spans lines is none Arrow could read.
    """
    found = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(found == _NEWLINE)
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (starts == ends).any() or (found[starts] != _OPEN).any() or (found[ends - 1] != _CLOSE).any():
        return None
    return starts


def _schema(line: bytes, column: str) -> pa.Schema | None:
    """Returns the fields of a record as Arrow is to read them, or None when one is not plain."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if column not in record:
        return None
    types = {name: _SPOKEN if name == column else _TYPES.get(type(value)) for name, value in record.items()}
    return None if None in types.values() else pa.schema(list(types.items()))


def _table(data: bytes, schema: pa.Schema) -> pa.Table | None:
    from pyarrow import json

    reading = json.ReadOptions(use_threads=False, block_size=len(data) + 1)
    parsing = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    try:
        table = json.read_json(pa.BufferReader(data), read_options=reading, parse_options=parsing)
        table.validate(full=True)  # of texts that they are UTF-8
    except pa.ArrowInvalid:
        return None
    return table if all(column.num_chunks == 1 for column in table.columns) else None


def _readable(flat: pl.DataFrame, lengths: NDArray[np.int64]) -> bool:
    """Tells whether all roles are ours and no chat begins with a blank message."""
    first = flat["content"].gather(np.cumsum(lengths) - lengths)
    doubtful = first.filter(~first.str.contains(r"[\p{L}\p{N}]"))
    return OUR_ROLES.issuperset(flat["role"].unique()) and all(text.strip() for text in doubtful)


def _texts(messages: pl.Series) -> list[bytes]:
    lean = pl.struct([pl.element().struct.field(name) for name in ("content", "role")])
    kind = pl.repeat("chat", len(messages), dtype=pl.String, eager=True).alias("kind")
    texts: list[bytes] = _encoded([kind, messages.list.eval(lean).alias("messages")]).cast(pl.Binary).to_list()
    return texts


def _encoded(columns: list[pl.Series]) -> pl.Series:
    """Returns the JSON object of each row of some columns without nulls, as `orjson` writes it."""
    return pl.select(pl.struct(columns).struct.json_encode().alias("json"))["json"]
