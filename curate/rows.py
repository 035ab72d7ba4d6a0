"""The row: one training record, as a polars frame of fixed schema, and its turns as one flat frame.

A row is a chat (``messages``), a preference pair (``prompt``, ``chosen``, ``rejected``), a judged completion
(``prompt``, ``completion``, ``label``) or a document (``text``); the other content columns are null. Its ``id`` is
set once at ingest and is lineage, not content: 128 bits as 32 hex digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from curate.arrow import arrow_numbers, numbers_of, series_of

Kind = Literal["chat", "preference", "kto", "text"]
KINDS: tuple[Kind, ...] = ("chat", "preference", "kto", "text")
ROLES = ("system", "user", "assistant", "tool")

MESSAGE = pl.Struct(
    {
        "role": pl.String,
        "content": pl.String,
        "name": pl.String,
        "tool_calls": pl.String,  # JSON array of {"id"?, "type", "function": {"name", "arguments": {...}}}
        "tool_call_id": pl.String,
        "reasoning_content": pl.String,
        "weight": pl.Int8,  # 0 = never trained
    }
)
MESSAGES = pl.List(MESSAGE)

ROW_SCHEMA: dict[str, pl.DataType] = {
    "id": pl.String(),
    "group": pl.String(),
    "source": pl.String(),
    "ability": pl.String(),
    "domain": pl.Boolean(),
    "language": pl.String(),
    "kind": pl.String(),
    "messages": MESSAGES,
    "prompt": MESSAGES,
    "chosen": MESSAGES,
    "rejected": MESSAGES,
    "completion": MESSAGES,
    "label": pl.Boolean(),
    "text": pl.String(),
    "tools": pl.String(),
    "tags": pl.List(pl.String()),
    "profile": pl.String(),
    "meta": pl.String(),
}
CHAT_FIELDS = ("messages", "prompt", "chosen", "rejected", "completion")
CONTENT_FIELDS = (*CHAT_FIELDS, "label", "text", "tools")
KIND_FIELDS: dict[str, tuple[str, ...]] = {
    "chat": ("messages",),
    "preference": ("prompt", "chosen", "rejected"),
    "kto": ("prompt", "completion"),
    "text": ("text",),
}
"""Which content fields a row of each kind fills with turns."""

TURN_SCHEMA: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "field": pl.String(),
    "turn": pl.UInt32(),
    "role": pl.String(),
    "text": pl.String(),
}


def empty_rows() -> pl.DataFrame:
    """Returns a frame of no rows with the row schema."""
    return pl.DataFrame(schema=ROW_SCHEMA)


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns the frame with the row schema's columns first, in order, missing ones null, dtypes exact.

    Columns that stages added (scores) follow in the order of their names.
    """
    extra = sorted(set(frame.columns) - set(ROW_SCHEMA))
    columns = [
        (pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype).alias(name))
        for name, dtype in ROW_SCHEMA.items()
    ]
    return frame.select(*columns, *extra)


def row_hash(*parts: str | bytes) -> str:
    """Returns 32 hex digits: BLAKE2b-128 over the length-prefixed parts."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def content_bytes(row: Mapping[str, Any]) -> bytes:
    """Returns the canonical JSON of a row's training content: what its id is made of, its meta data left out."""
    content: dict[str, Any] = {name: row[name] for name in CONTENT_FIELDS if row.get(name) is not None}
    for field in CHAT_FIELDS:
        if field in content:
            content[field] = [{k: v for k, v in m.items() if v is not None} for m in content[field]]
    return orjson.dumps({"kind": row["kind"], **content}, option=orjson.OPT_SORT_KEYS)


def turns(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns the flat turn frame of all text in the rows (TURN_SCHEMA), ordered by row, field and turn.

    Turns without text (a pure tool call) are left out; a document is one turn of role ``document``.
    """
    flat = [_field_turns(rows, field) for field in CHAT_FIELDS if rows[field].null_count() < rows.height]
    if rows["text"].null_count() < rows.height:
        documents = rows.select(
            row=pl.int_range(pl.len(), dtype=pl.UInt32),
            field=pl.lit("text"),
            turn=pl.lit(0, dtype=pl.UInt32),
            role=pl.lit("document"),
            text="text",
        )
        flat.append(documents.filter(pl.col("text").is_not_null()))
    if not flat:
        return pl.DataFrame(schema=TURN_SCHEMA)
    return flat[0] if len(flat) == 1 else pl.concat(flat).sort("row", "field", "turn", maintain_order=True)


def _field_turns(rows: pl.DataFrame, field: str) -> pl.DataFrame:
    flat = flat_messages(rows, field).filter(pl.col("content").is_not_null())
    return flat.select("row", pl.lit(field).alias("field"), "turn", "role", pl.col("content").alias("text"))


def with_turns(rows: pl.DataFrame, edited: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows with the text of the given turns (row, field, turn, text) put in place of the old."""
    for field in edited["field"].unique(maintain_order=True).to_list():
        changed = edited.filter(pl.col("field") == field)
        if field == "text":
            texts = rows.select(row=pl.int_range(pl.len(), dtype=pl.UInt32)).join(
                changed.select("row", "text"), on="row", how="left", maintain_order="left"
            )["text"]
            rows = rows.with_columns(text=pl.coalesce(texts, pl.col("text")))
        else:
            rows = rows.with_columns(_replace_contents(rows[field], changed).alias(field))
    return rows


def _replace_contents(column: pl.Series, changed: pl.DataFrame) -> pl.Series:
    """Swaps message contents inside a list column through its flat child array, offsets untouched."""
    lists = column.rechunk().to_arrow()
    offsets = numbers_of(lists.offsets)
    child = series_of(lists.values).cast(MESSAGE).struct.unnest()
    where = pl.Series(offsets[:-1][changed["row"].to_numpy()]) + changed["turn"].cast(pl.Int64)
    contents = child["content"].scatter(where, changed["text"])
    unsliced = arrow_numbers(offsets)  # arrow takes no mask beside the offsets of a slice
    return _as_lists(child.with_columns(content=contents), unsliced, column)


def _as_lists(flat: pl.DataFrame, offsets: pa.Array, like: pl.Series | None = None) -> pl.Series:
    struct = flat.select(pl.struct(list(MESSAGE.to_schema())).alias("message"))["message"].cast(MESSAGE)
    mask = like.is_null().to_arrow() if like is not None and like.null_count() else None
    child = struct.rechunk().to_arrow()
    return series_of(pa.LargeListArray.from_arrays(offsets, child, mask=mask)).cast(MESSAGES)


def flat_messages(rows: pl.DataFrame, field: str = "messages") -> pl.DataFrame:
    """Returns every message of one field as a flat frame: row and turn (UInt32), then the message's columns."""
    numbered = rows.select(row=pl.int_range(pl.len(), dtype=pl.UInt32), message=field)
    numbered = numbered.filter(pl.col("message").list.len() > 0)
    turn = pl.int_ranges(pl.col("message").list.len(), dtype=pl.UInt32)
    return (
        numbered.with_columns(turn=turn).explode("message", "turn").select("row", "turn", "message").unnest("message")
    )


def assemble(flat: pl.DataFrame, height: int) -> pl.Series:
    """Returns a list-of-messages column of ``height`` rows from a flat frame ordered by row (the inverse of
    ``flat_messages``); rows without messages get an empty list.
    """
    counts = np.bincount(flat["row"].to_numpy(), minlength=height)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return _as_lists(flat, arrow_numbers(offsets))


def merge_neighbours(flat: pl.DataFrame) -> pl.DataFrame:
    """Joins (newline) the contents of neighbouring messages of one row and role; only plain user, assistant and
    system messages merge, never tool calls or results. Turns are renumbered.
    """
    plain = pl.col("role").is_in(["user", "assistant", "system"]) & pl.col("tool_calls").is_null()
    same = (pl.col("row") == pl.col("row").shift()) & (pl.col("role") == pl.col("role").shift()) & plain & plain.shift()
    run = (~same.fill_null(False)).cum_sum()
    rest = [name for name in MESSAGE.to_schema() if name not in ("role", "content", "weight")]
    merged = flat.group_by(run.alias("run"), maintain_order=True).agg(
        pl.col("row", "role").first(),
        _joined(),
        pl.col(rest).first(),
        pl.col("weight").min(),
    )
    turn = pl.int_range(pl.len(), dtype=pl.UInt32).over("row")
    return merged.with_columns(turn=turn).select("row", "turn", *MESSAGE.to_schema())


def _joined() -> pl.Expr:
    content = pl.col("content")
    return pl.when(content.is_not_null().any()).then(content.drop_nulls().str.join("\n")).alias("content")
