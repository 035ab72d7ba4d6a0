"""Rows as JSON Lines, built column by column: the same bytes as `orjson.dumps` of each record, many rows at once."""

from __future__ import annotations

from itertools import groupby

import orjson
import polars as pl

from curate.arrow import texts_of
from curate.records import JSON_COLUMNS
from curate.rows import CHAT_FIELDS, flat_messages


def jsonl(rows: pl.DataFrame) -> bytes:
    """Returns the rows as JSON Lines: null fields left out, JSON columns as objects."""
    if rows.is_empty():
        return b""
    columns = [column for column in rows.get_columns() if column.null_count() < rows.height]
    members: list[pl.Series] = []
    for whole, run in groupby((_lean(rows, column) for column in columns), _whole):
        together = list(run)
        members += [_together(together)] if whole else [_member(column) for column in together]
    lines = pl.select(pl.concat_str(pl.lit("{"), _joined(members), pl.lit("}\n")).alias("line"))["line"]
    data, offsets = texts_of(lines)
    return data[offsets[0] : offsets[-1]].tobytes()


def _lean(rows: pl.DataFrame, column: pl.Series) -> pl.Series:
    """Returns a chat field without the parts of a message that no message has; other columns as they are."""
    if column.name not in CHAT_FIELDS:
        return column
    flat = flat_messages(rows, column.name).drop("row", "turn")
    filled = [name for name in flat.columns if flat[name].null_count() < flat.height]
    fields = pl.struct([pl.element().struct.field(name) for name in filled or ["role"]])
    return rows.select(pl.col(column.name).list.eval(fields))[column.name]


def _whole(column: pl.Series) -> bool:
    """True when polars writes every value of the column as `orjson` does, and none of them is to be left out."""
    if column.null_count():
        return False
    if column.name in CHAT_FIELDS:
        return all(map(_whole, column.explode().drop_nulls().struct.unnest().get_columns()))
    return column.dtype in (pl.String, pl.Boolean) and column.name not in (*JSON_COLUMNS, "tool_calls")


def _together(columns: list[pl.Series]) -> pl.Series:
    """Returns `"a":…,"b":…` for columns without nulls, encoded in one pass."""
    encoded = pl.select(pl.struct(columns).struct.json_encode().alias("members"))["members"]
    return encoded.str.strip_prefix("{").str.strip_suffix("}")


def _member(column: pl.Series) -> pl.Series:
    """Returns `"name":value` for each value, null for null."""
    if column.name in CHAT_FIELDS:
        return _keyed(column.name, _arrays(column))
    if column.dtype == pl.String and column.name not in (*JSON_COLUMNS, "tool_calls"):
        return _together([column.fill_null("")]).set(column.is_null(), None)
    parsed = column.dtype == pl.String
    texts = [None if v is None else orjson.dumps(orjson.loads(v) if parsed else v).decode() for v in column.to_list()]
    return _keyed(column.name, pl.Series(column.name, texts, pl.String))


def _keyed(name: str, values: pl.Series) -> pl.Series:
    return pl.select((pl.lit(orjson.dumps(name).decode() + ":") + values).alias(name))[name]


def _arrays(messages: pl.Series) -> pl.Series:
    """Returns each list of messages as a JSON array, a null field of a message left out of it."""
    flat = flat_messages(messages.to_frame(), messages.name)
    members = [_member(column) for column in flat.get_columns()[2:]]
    objects = flat.select("row", text=pl.concat_str(pl.lit("{"), _joined(members), pl.lit("}")))
    arrays = objects.group_by("row", maintain_order=True).agg(pl.col("text").str.join(","))
    texts = pl.select(pl.concat_str(pl.lit("["), arrays["text"], pl.lit("]")).alias("text"))["text"]
    empty = pl.select(pl.when(messages.is_not_null()).then(pl.lit("[]")).alias("text"))["text"]
    return empty.scatter(arrays["row"], texts)


def _joined(members: list[pl.Series]) -> pl.Expr:
    return pl.concat_str(members, separator=",", ignore_nulls=True) if members else pl.lit("")
