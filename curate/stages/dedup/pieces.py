"""Pieces: what a row is compared by, as spans of one byte buffer, straight from the rows' Arrow buffers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl
import xxhash
from numpy.typing import NDArray

from curate.arrow import column_of, series_of, text_bytes, texts_of
from curate.arrow_rows import ArrowRows
from curate.rows import KINDS

Longs = NDArray[np.int64]
_SPOKEN = ("content", "tool_calls", "reasoning_content")


class Pieces(NamedTuple):
    """Row r has the pieces ``bounds[r]:bounds[r + 1]``, each the bytes ``starts:ends`` of ``data`` (uint8)."""

    data: NDArray[np.uint8]
    starts: Longs
    ends: Longs
    turns: Longs
    """Pieces of one turn (text, tool calls, reasoning) have one number."""
    bounds: Longs
    calls: Longs
    """A hash of the row's tool calls (60 bits); 0 for none."""


class _Block(NamedTuple):
    """The pieces of one column, by row."""

    data: list[NDArray[np.uint8]]
    starts: Longs
    ends: Longs
    turns: Longs
    rows: Longs
    calls: pl.DataFrame
    """Columns row and call: the tool calls of the block, as JSON text without the calls' ids."""


_NO_CALLS: dict[str, Any] = {"row": pl.Int64, "call": pl.String}
_CALL_ID = r'([\[,]\{)"id":"(?:[^"\\]|\\.)*",("type":"function",)'


def pieces(rows: ArrowRows, on: str, scaffold: bool) -> Pieces:
    """Returns the pieces of each row.

    ``on`` is row, turns, prompt or answer; a pair or judged completion has its prompt for all but answer, a document
    its text. With ``scaffold`` system messages and tool lists are pieces too.
    """
    other = ("chosen", "completion") if on == "answer" else ("prompt",)
    blocks = [_messages(rows, field, on, scaffold) for field in ("messages", *other) if rows.holds(field)]
    if rows.holds("text"):
        blocks.append(_column(rows["text"], 0))
    if scaffold and on != "answer" and rows.holds("tools"):
        blocks.append(_column(rows["tools"], 1 << 40))
    return _joined(blocks, len(rows))


def salts(rows: ArrowRows, calls: Longs) -> Longs:
    """Returns a number for each row: those of different kinds, labels or ``calls`` (60 bits) are never compared."""
    kind = rows["kind"].replace_strict(list(KINDS), list(range(len(KINDS))), return_dtype=pl.Int64)
    label = rows["label"].cast(pl.Int64).fill_null(2)
    return np.array((kind * 3 + label).to_numpy()) + (calls << 4)


def _column(texts: pl.Series, turn: int) -> _Block:
    at = texts.is_not_null().arg_true()
    data, offsets = texts_of(texts.gather(at))
    rows = at.to_numpy().astype(np.int64)
    return _Block([data], offsets[:-1], offsets[1:], np.full(len(at), turn), rows, pl.DataFrame(schema=_NO_CALLS))


def _messages(rows: ArrowRows, field: str, on: str, scaffold: bool) -> _Block:
    bounds, flat = rows.lists(field)
    row = np.repeat(np.arange(len(rows)), np.diff(bounds))
    calls = series_of(flat["tool_calls"])
    calling = calls.null_count() < len(calls)
    if calling:
        calls = calls.str.replace_all(_CALL_ID, "${1}${2}")
        flat["tool_calls"] = column_of(calls)
    wanted = wanted_messages(series_of(flat["role"]), row, len(rows), on if field == "messages" else "row", scaffold)
    data, starts, ends, base = [], [], [], 0
    for name in _SPOKEN:
        if flat[name].null_count == len(row):
            continue
        found, offsets = text_bytes(flat[name])
        data.append(found)
        starts.append(offsets[:-1][wanted] + base)
        ends.append(offsets[1:][wanted] + base)
        base += found.size
    each, turns = len(data), np.flatnonzero(wanted)
    named = pl.DataFrame(schema=_NO_CALLS)
    if calling:
        named = pl.DataFrame({"row": row, "call": calls}, schema=_NO_CALLS).filter(pl.Series(wanted))
    return _Block(
        data,
        _interleaved(starts),
        _interleaved(ends),
        np.repeat(turns, each),
        np.repeat(row[wanted], each),
        named.drop_nulls(),
    )


def _interleaved(columns: list[Any]) -> Longs:
    return np.stack(columns, axis=1).ravel() if columns else np.empty(0, np.int64)


def wanted_messages(role: pl.Series, row: Longs, rows: int, on: str, scaffold: bool) -> NDArray[np.bool_]:
    """Returns which messages, each of a ``row`` out of so many ``rows``, are compared ``on`` row, turns, prompt or answer;
    those of the system only with ``scaffold``.
    """
    wanted = np.ones(len(role), np.bool_) if scaffold else (role != "system").to_numpy()
    if on not in ("prompt", "answer"):
        return wanted
    answers = np.flatnonzero((role == "assistant").to_numpy())
    last = np.full(rows, -1)
    np.maximum.at(last, row[answers], answers)
    place = np.arange(len(role))
    return wanted & ((place < last[row]) if on == "prompt" else (place == last[row]))


def _joined(blocks: list[_Block], height: int) -> Pieces:
    """Puts the pieces of all blocks together, by row."""
    calls = _call_hashes(pl.concat([pl.DataFrame(schema=_NO_CALLS), *(block.calls for block in blocks)]), height)
    if len(blocks) == 1 and len(blocks[0].data) == 1:
        (block,) = blocks
        return Pieces(block.data[0], block.starts, block.ends, block.turns, _bounds(block.rows, height), calls)
    data, starts, ends, base = [np.empty(0, np.uint8)], [], [], 0
    for block in blocks:
        starts.append(block.starts + base)
        ends.append(block.ends + base)
        data += block.data
        base += sum(part.size for part in block.data)
    empty = np.empty(0, np.int64)
    row = np.concatenate([empty, *(block.rows for block in blocks)])
    order = np.argsort(row, kind="stable")
    turns = np.concatenate([empty, *(block.turns for block in blocks)])
    return Pieces(
        np.concatenate(data),
        np.concatenate([empty, *starts])[order],
        np.concatenate([empty, *ends])[order],
        turns[order],
        _bounds(row, height),
        calls,
    )


def _bounds(row: Longs, height: int) -> Longs:
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=height))]).astype(np.int64)


def _call_hashes(calls: pl.DataFrame, height: int) -> Longs:
    joined = calls.group_by("row", maintain_order=True).agg(pl.col("call").str.join("\n"))
    found = np.zeros(height, np.int64)
    hashes = [xxhash.xxh3_64_intdigest(text.encode()) >> 4 for text in joined["call"]]
    found[joined["row"].to_numpy()] = np.array(hashes, np.int64)
    return found
