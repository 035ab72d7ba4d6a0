"""Blocks of plain chat lines, read in one compiled pass: nothing in them needs a look of its own.

A block with anything else in it (nulls where there should be text, nested fields, keys named twice, several records a
line, text that is not UTF-8) is left to the reader of single records, which says what is wrong with which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import arrow_numbers, column_of, series_of
from curate.rows import MESSAGE, ROLES

_MESSAGE = column_of(pl.Series([], dtype=MESSAGE)).type


@dataclass(frozen=True)
class PlainLines:
    """The chats of a block of lines, one a line."""

    messages: pa.LargeListArray
    hashed: NDArray[np.uint8]
    """What is hashed for the ids, one behind the other."""
    bounds: NDArray[np.int64]
    """Where in it what is hashed for each begins, and the last ends."""
    meta: pl.Series
    """The JSON text of each line's other fields; null where there are none."""
    starts: NDArray[np.int64]
    """Where each line starts in the block."""


def plain_lines(data: bytes, column: str, head: bytes) -> PlainLines | None:
    """Returns the chats of whole lines of UTF-8, when each is an object with a field ``column``, a list of messages
    with a role of ours, a text and nothing else, the first of them not blank; and other fields with a text, an
    integer, a truth value or null. None when any is not.

    What is hashed of a chat is ``head``, the length of its canonical JSON in eight bytes, and the canonical JSON.
    """
    from curate.sources.plain_loop import read_lines

    if not data.endswith(b"\n"):
        data += b"\n"
    name, start = (np.frombuffer(part, np.uint8) for part in (column.encode(), head))
    text, ends, roles, hashed, meta, bounds = read_lines(np.frombuffer(data, np.uint8), name, start)
    contents, others = _strings(text, ends), _strings(meta, bounds[2, 1:])
    if not roles.size or contents is None or others is None:
        return None
    fields = series_of(others).set(pl.Series(np.diff(bounds[2]) == 0), None)
    return PlainLines(_chats(roles, contents, bounds[0]), hashed, bounds[1], fields, bounds[3, :-1])


def _strings(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> pa.Array | None:
    """Returns the texts of a buffer as a column, or None when one is not UTF-8."""
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    buffers: list[Any] = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    texts = pa.Array.from_buffers(pa.large_string(), len(ends), buffers)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return None
    return texts


def _chats(roles: NDArray[np.uint8], contents: pa.Array, bounds: NDArray[np.int64]) -> pa.LargeListArray:
    """Returns a column of lists of messages that have a role and a content."""
    said = {"role": column_of(pl.Series(ROLES, dtype=pl.String).gather(pl.Series(roles))), "content": contents}
    fields = [said[field.name] if field.name in said else pa.nulls(len(roles), field.type) for field in _MESSAGE]
    messages = pa.StructArray.from_arrays(fields, fields=list(_MESSAGE))
    return pa.LargeListArray.from_arrays(arrow_numbers(bounds), messages)
