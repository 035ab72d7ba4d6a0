"""Utterance tables: one line a turn; lines of one dialogue are gathered, ordered and become one chat.

Neighbouring utterances of one role are one turn, joined by a newline, because speech recognition cuts turns anywhere.
"""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from curate.arrow_rows import ArrowRows
from curate.rows import conform
from curate.sources.batch import ORIGIN_SCHEMA, Batch, content_columns, content_hashes, content_texts, json_text
from curate.sources.quarantine import BadRow, bad_row, in_order
from curate.sources.reasons import Refusal
from curate.sources.records import Records
from curate.sources.shapes.chat import Record
from curate.sources.shapes.roles import role_of
from curate.sources.spec import DROP, Shape, SourceSpec

UTTERANCE_SCHEMA: dict[str, pl.DataType] = {
    "key": pl.String(),
    "order": pl.String(),
    "role": pl.String(),
    "text": pl.String(),
    "extra": pl.String(),
    "file": pl.UInt32(),
    "line": pl.Int64(),
    "offset": pl.Int64(),
}
"""One utterance: its dialogue, place, speaker as the data names it, text, other columns as JSON, and origin."""


def utterance_batch(spec: SourceSpec, shape: Shape, records: Records) -> Batch:
    """Returns the utterances of some records as a batch whose rows have UTTERANCE_SCHEMA.

    A line without dialogue or text is refused here; unknown speakers wait until their dialogue is gathered.
    """
    records.settle()
    columns = shape.columns
    used = set(columns.values())
    flat: list[tuple[Any, ...]] = []
    for index, value in enumerate(records.values):
        offset = None if records.offsets is None else records.offsets[index]
        try:
            if type(value) is not dict:
                raise Refusal("not_an_object", f"the record is {type(value).__name__}")
            key, role, text = (_scalar(value, columns[name]) for name in ("group", "role", "text"))
            order = value.get(columns["order"]) if "order" in columns else None
            extra = json_text({name: item for name, item in value.items() if name not in used})
            place = None if order is None else str(order)
            flat.append((key, place, role, text, extra, records.file, records.lines[index], offset))
        except Refusal as refusal:
            records.refuse(records.lines[index], offset or 0, refusal.reason, refusal.detail, records.raws[index])
    frame = pl.DataFrame(flat, schema=UTTERANCE_SCHEMA, orient="row")
    origin = frame.select("file", "line", "offset", lines=pl.lit(1, dtype=pl.UInt32))
    return Batch(ArrowRows.of(frame), origin, in_order(records.bad), records.blank)


def _scalar(value: Record, column: str) -> str:
    item = value.get(column)
    if item is None:
        raise Refusal("null_content" if column in value else "missing_column", f"{column!r}")
    if type(item) not in (str, int, float):
        raise Refusal("wrong_type", f"{column!r} is {type(item).__name__}, not text")
    text = str(item)
    if not text.strip():
        raise Refusal("empty_record", f"{column!r} is blank")
    return text


def group_utterances(spec: SourceSpec, frame: pl.DataFrame) -> Batch:
    """Returns the dialogues of whole groups of utterances (UTTERANCE_SCHEMA, any order) as rows ordered by their
    first line.

    A speaker that is not known refuses the whole dialogue: with a turn missing, the next answer would be to nothing.
    A speaker mapped to ``drop`` is left out, line by line, into ``bad``.
    """
    bad: list[BadRow] = []
    mapped = _with_roles(spec, frame, bad)
    ordered = _ordered(mapped)
    same = (pl.col("key") == pl.col("key").shift()) & (pl.col("ours") == pl.col("ours").shift())
    turns = ordered.group_by((~same.fill_null(False)).cum_sum().alias("run"), maintain_order=True).agg(
        pl.col("key", "ours").first(),
        pl.col("text").str.join("\n"),
        pl.col("extra"),
        pl.col("file", "line", "offset").sort_by("file", "line").first(),
        lines=pl.len().cast(pl.UInt32),
    )
    dialogues = turns.group_by("key", maintain_order=True).agg(
        pl.col("ours", "text"),
        pl.col("extra").list.explode(),
        pl.col("file", "line", "offset").sort_by("file", "line").first(),
        pl.col("lines").sum(),
    )
    dialogues = dialogues.sort("file", "line")
    return Batch(ArrowRows.of(_rows(spec, dialogues)), dialogues.select(list(ORIGIN_SCHEMA)), in_order(bad), 0)


def _with_roles(spec: SourceSpec, frame: pl.DataFrame, bad: list[BadRow]) -> pl.DataFrame:
    """Adds our role as ``ours``; dropped utterances and dialogues with unknown speakers leave into ``bad``."""
    names = frame["role"].unique(maintain_order=True).to_list()
    known: dict[str, str] = {}
    unknown: dict[str, str] = {}
    for name in names:
        try:
            known[name] = role_of(name, spec.roles)
        except Refusal as refusal:
            unknown[name] = refusal.detail
    ours = pl.col("role").replace_strict(known, default=None, return_dtype=pl.String)
    frame = frame.with_columns(ours=ours)
    strange = frame.filter(pl.col("ours").is_null())["key"].unique()
    broken = pl.col("key").is_in(strange.implode())
    for record in frame.filter(broken).sort("file", "line").iter_rows(named=True):
        odd = record["ours"] is None
        detail = unknown[record["role"]] if odd else f"dialogue {record['key']!r}"
        bad.append(_refused(record, "unknown_role" if odd else "broken_dialogue", detail))
    for record in frame.filter(~broken & (pl.col("ours") == DROP)).sort("file", "line").iter_rows(named=True):
        bad.append(_refused(record, "dropped_role", f"role {record['role']!r}"))
    return frame.filter(~broken & (pl.col("ours") != DROP))


def _refused(record: Record, reason: str, detail: str) -> BadRow:
    raw = orjson.dumps({name: record[name] for name in ("key", "order", "role", "text", "extra")})
    return bad_row(record["file"], record["line"], record["offset"], reason, detail, raw)


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Sorts by dialogue, then place: as numbers when all places of the dialogue are numbers; else as text whose digit
    runs count as numbers (9:58 before 10:05). Ties keep the order of the files.
    """
    number = pl.col("order").cast(pl.Float64, strict=False)
    numeric = (number.is_not_null() | pl.col("order").is_null()).all().over("key")
    digits = pl.col("order").str.extract_all(r"\d+|\D+").list.eval(pl.element().str.zfill(20)).list.join("")
    frame = frame.with_columns(number=pl.when(numeric).then(number), natural=pl.when(~numeric).then(digits))
    return frame.sort("key", "number", "natural", "file", "line", nulls_last=True)


def _rows(spec: SourceSpec, dialogues: pl.DataFrame) -> pl.DataFrame:
    contents: list[Record] = []
    metas: list[str | None] = []
    profiles: list[str | None] = []
    for key, roles, texts, extras in dialogues.select("key", "ours", "text", "extra").iter_rows():
        messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
        contents.append({"kind": "chat", "messages": messages})
        shared = _shared(extras)
        profiles.append(json_text({name: shared.pop(name, None) for name in spec.profile}))
        metas.append(json_text({"dialogue": key, **shared}))
    size = len(contents)
    columns = {
        "source": pl.repeat(spec.name, size, dtype=pl.String, eager=True),
        "ability": pl.repeat(spec.ability or spec.name, size, dtype=pl.String, eager=True),
        "domain": pl.repeat(spec.domain, size, dtype=pl.Boolean, eager=True),
        "language": pl.repeat(spec.language, size, dtype=pl.String, eager=True),
        **content_columns(contents),
        "profile": pl.Series(profiles, dtype=pl.String),
        "meta": pl.Series(metas, dtype=pl.String),
        "content_hash": pl.Series(content_hashes(spec.name, content_texts(contents)), dtype=pl.String),
    }
    return conform(pl.DataFrame(columns))


def _shared(extras: list[str | None]) -> Record:
    """The other columns of a dialogue's lines: one value when all agree, else the list of values in order."""
    distinct = dict.fromkeys(extras)
    parsed = [orjson.loads(extra) for extra in (distinct if len(distinct) == 1 else extras) if extra is not None]
    names = dict.fromkeys(name for record in parsed for name in record)
    out: Record = {}
    for name in names:
        values = [record.get(name) for record in parsed]
        out[name] = values[0] if all(value == values[0] for value in values) else values
    return out
