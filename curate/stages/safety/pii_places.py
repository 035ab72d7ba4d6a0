"""Every text of a row in which personal data can stand: contents, tool calls and reasoning, and putting them back."""

from __future__ import annotations

import polars as pl

from curate.rows import CHAT_FIELDS, TURN_SCHEMA, assemble, flat_messages, turns, with_turns

PARTS = ("reasoning_content", "tool_calls")
"""Columns of a message that hold text beside its content; tool calls are JSON."""

_ORDER = ("row", "field", "turn", "part")


def places(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns the texts of all messages and documents as turns have them, with a column ``part``, in order."""
    found = [turns(rows).with_columns(part=pl.lit("content"))]
    for field in CHAT_FIELDS:
        parts = [part for part in PARTS if _holds(rows[field], part)]
        if parts:
            flat = flat_messages(rows, field)
            found += [_part(flat, field, part) for part in parts]
    return found[0] if len(found) == 1 else pl.concat(found).sort(_ORDER)


def _holds(messages: pl.Series, part: str) -> bool:
    if messages.null_count() == len(messages):
        return False
    column = messages.rechunk().to_arrow().values.field(part)
    return bool(column.null_count < len(column))


def _part(flat: pl.DataFrame, field: str, part: str) -> pl.DataFrame:
    texts = flat.filter(pl.col(part).is_not_null())
    return texts.select("row", pl.lit(field).alias("field"), "turn", "role", pl.col(part).alias("text")).with_columns(
        part=pl.lit(part)
    )


def put_back(rows: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows with the texts of the given places in place of the old."""
    rows = with_turns(rows, changed.filter(part="content").select(list(TURN_SCHEMA)))
    beside = changed.filter(pl.col("part") != "content")
    for field in beside["field"].unique(maintain_order=True).to_list():
        flat = flat_messages(rows, field)
        for part in PARTS:
            texts = beside.filter(field=field, part=part).select("row", "turn", new="text")
            flat = flat.join(texts, on=["row", "turn"], how="left", maintain_order="left")
            flat = flat.with_columns(pl.coalesce("new", part).alias(part)).drop("new")
        built = assemble(flat, rows.height)
        rows = rows.with_columns(pl.when(pl.col(field).is_not_null()).then(built).alias(field))
    return rows
