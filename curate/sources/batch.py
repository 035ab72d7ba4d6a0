"""From parsed records to a batch of rows: contents are flattened to columns once, whole batch by whole batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.arrow_rows import ArrowRows
from curate.digests import hex_column, hex_digests
from curate.rows import CHAT_FIELDS, conform
from curate.sources.flat_messages import message_column, plain_messages
from curate.sources.gc_pause import gc_paused
from curate.sources.lines import Block
from curate.sources.plain_lines import plain_lines
from curate.sources.quarantine import BadRow, in_order
from curate.sources.reasons import Refusal
from curate.sources.records import Records
from curate.sources.shapes.chat import Convert, Record
from curate.sources.shapes.fields import LABELS
from curate.sources.shapes.judged import flag
from curate.sources.shapes.table import converter
from curate.sources.spec import Shape, SourceSpec

ORIGIN_SCHEMA: dict[str, pl.DataType] = {
    "file": pl.UInt32(),
    "line": pl.Int64(),
    "offset": pl.Int64(),
    "lines": pl.UInt32(),
}


@dataclass(frozen=True)
class Batch:
    """Rows of some input records, where each came from, and the records that were refused.

    `rows` has the row schema (id and group null) and ``content_hash``, 32 hex digits over the source's name and
    the row's training content; for utterance tables it is a frame of UTTERANCE_SCHEMA. ``origin`` goes with the rows:
    file number, 1-based line (binary tables: record), byte offset or null, and how many input records the row holds.
    Input records = sum of ``origin.lines`` + ``len(bad)`` + ``blank``.
    """

    held: ArrowRows
    origin: pl.DataFrame
    bad: list[BadRow]
    blank: int

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The rows as a frame."""
        return self.held.frame()

    @property
    def lines(self) -> int:
        """The number of input records the batch accounts for."""
        return int(self.origin["lines"].sum()) + len(self.bad) + self.blank


class RowMaker:
    """Makes batches of rows from records of one shape."""

    def __init__(self, spec: SourceSpec, shape: Shape) -> None:
        self.spec, self.shape = spec, shape
        self.convert: Convert = converter(shape, spec.roles)
        self.labels = _Labels(spec, shape)
        simple = shape.format in ("messages", "sharegpt") and not {"system", "tools", *LABELS} & set(shape.columns)
        self.plain = next(iter(shape.columns.values())) if simple and not spec.roles else ""
        self.used = frozenset(shape.columns.values()) | frozenset(spec.profile)

    def batch(self, records: Records) -> Batch:
        """Returns the rows of the records; those that are no rows join the refused ones."""
        with gc_paused():
            plain = plain_messages(records.values, self.plain) if self.plain else None
            if records.settle(plain.keys if plain else None) and plain:
                plain = plain_messages(records.values, self.plain)
            ready: dict[str, pl.Series] = {}
            kept: Sequence[int]
            if plain is not None:
                contents: list[Record] = [{"kind": "chat", "messages": messages} for messages in plain.lists]
                ready["messages"] = plain.column
                kept = range(len(contents))
            else:
                contents, kept = self._contents(records)
            values = records.values if len(kept) == len(records.values) else [records.values[i] for i in kept]
            columns = {**content_columns(contents, ready), "meta": self._meta(values)}
            rows = self._rows(columns, values, self._hashes(contents))
        return Batch(ArrowRows.of(rows), _origin(records, kept), in_order(records.bad), records.blank)

    def plain_batch(self, file: int, block: Block) -> Batch | None:
        """Returns the rows of a block of UTF-8 lines that are plain chats; None when they want a look one by one."""
        if not self.plain or self.labels.mapped or self.spec.profile:
            return None
        found = plain_lines(block.data, self.plain, _head(self.spec.name))
        if found is None:
            return None
        size = len(found.starts)
        columns = {"kind": constant("chat", size, pl.String), "meta": found.meta}
        rows = self._rows(columns, [{}] * size, hex_column(hex_digests(found.hashed, found.bounds)))
        held = ArrowRows.of(rows).with_turns("messages", found.messages)
        origin = _placed(file, range(block.line, block.line + size), block.offset + found.starts)
        return Batch(held, origin, [], 0)

    def _contents(self, records: Records) -> tuple[list[Record], list[int]]:
        contents: list[Record] = []
        kept: list[int] = []
        for index, value in enumerate(records.values):
            try:
                if type(value) is not dict:
                    raise Refusal("not_an_object", f"the record is {type(value).__name__}")
                content = self.convert(value)
                if not _has_text(content):
                    raise Refusal("empty_record")
                self.labels.check(value)
                contents.append(content)
                kept.append(index)
            except Refusal as refusal:
                offset = records.offsets[index] if records.offsets is not None else 0
                records.refuse(records.lines[index], offset, refusal.reason, refusal.detail, records.raws[index])
        return contents, kept

    def _hashes(self, contents: list[Record]) -> pl.Series:
        return pl.Series(content_hashes(self.spec.name, content_texts(contents)), dtype=pl.String)

    def _rows(self, contents: dict[str, pl.Series], values: list[Record], hashes: pl.Series) -> pl.DataFrame:
        columns = {
            **self.labels.columns(values),
            **contents,
            "profile": self._profile(values),
            "content_hash": hashes,
        }
        return conform(pl.DataFrame(columns))

    def _profile(self, values: list[Record]) -> pl.Series:
        names = self.spec.profile
        if not names:
            return constant(None, len(values), pl.String)
        return pl.Series([json_text({name: value.get(name) for name in names}) for value in values], dtype=pl.String)

    def _meta(self, values: list[Record]) -> pl.Series:
        used = self.used
        if used.issuperset(chain.from_iterable(values)):
            return constant(None, len(values), pl.String)
        return pl.Series(
            [json_text({k: v for k, v in value.items() if k not in used}) for value in values], dtype=pl.String
        )


def content_texts(contents: list[Record]) -> list[bytes]:
    """Returns the canonical JSON of each content."""
    return [orjson.dumps(content, option=orjson.OPT_SORT_KEYS) for content in contents]


def content_hashes(source: str, texts: list[bytes]) -> list[str]:
    """Returns `row_hash` of the source's name and the canonical JSON of each content, computed in one piece."""
    head = _head(source)
    texts = [head + len(text).to_bytes(8, "little") + text for text in texts]
    return [hashlib.blake2b(text, digest_size=16).hexdigest() for text in texts]


def _head(source: str) -> bytes:
    """Returns what the hash of a content begins with: the source's name behind its length."""
    return len(source.encode()).to_bytes(8, "little") + source.encode()


def json_text(value: Record) -> str | None:
    """Returns the JSON text of the values that are not null; None when there are none."""
    kept = {name: item for name, item in value.items() if item is not None}
    if not kept:
        return None
    try:
        return orjson.dumps(kept).decode()
    except TypeError:  # nested deeper than the writer goes: kept out of the row, the file still has it
        return orjson.dumps({name: "(nested too deeply)" for name in kept}).decode()


def _has_text(content: Record) -> bool:
    if content["kind"] == "text":
        return bool(content["text"].strip())
    for field in CHAT_FIELDS:
        for message in content.get(field, ()):
            text = message.get("content")
            if (text and not text.isspace()) or "tool_calls" in message:
                return True
    return False


def constant(value: Any, size: int, dtype: type[pl.DataType]) -> pl.Series:
    """Returns a column of one value (`pl.repeat` takes ten times as long)."""
    return pl.Series([value], dtype=dtype).new_from_index(0, size)


def content_columns(contents: list[Record], ready: dict[str, pl.Series] | None = None) -> dict[str, pl.Series]:
    """Returns the columns kind, messages, ..., tools of contents that are all of one kind; ``ready`` ones as given."""
    if not contents:
        return {}
    present = set().union(*contents)
    columns = {
        "kind": pl.Series([content["kind"] for content in contents], dtype=pl.String),
        **(ready or {name: message_column([c[name] for c in contents]) for name in CHAT_FIELDS if name in present}),
    }
    for name, dtype in (("label", pl.Boolean), ("text", pl.String), ("tools", pl.String)):
        if name in present:
            columns[name] = pl.Series([content.get(name) for content in contents], dtype=dtype)
    return columns


def _origin(records: Records, kept: Sequence[int]) -> pl.DataFrame:
    offsets = [None] * len(kept) if records.offsets is None else [records.offsets[index] for index in kept]
    return _placed(records.file, [records.lines[index] for index in kept], offsets)


def _placed(file: int, lines: Sequence[int], offsets: Sequence[int | None] | NDArray[np.int64]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "file": constant(file, len(lines), pl.UInt32),
            "line": pl.Series(lines, dtype=pl.Int64),
            "offset": pl.Series(offsets, dtype=pl.Int64),
            "lines": constant(1, len(lines), pl.UInt32),
        }
    )


class _Labels:
    """The row's source, ability, domain, language and tags: from the source, or from columns of the record."""

    def __init__(self, spec: SourceSpec, shape: Shape) -> None:
        self.spec = spec
        names = ("ability", "domain", "language", "tags")
        self.mapped = {name: shape.columns[name] for name in names if name in shape.columns}

    def check(self, value: Record) -> None:
        """Refuses a record whose mapped labels have the wrong type."""
        for name, column in self.mapped.items():
            label = value.get(column)
            if label is None:
                continue
            if name == "domain":
                flag(value, column)
            elif name == "tags":
                _tags(label, column)
            elif type(label) is not str:
                raise Refusal("wrong_type", f"{column!r} is {type(label).__name__}, not text")

    def columns(self, values: list[Record]) -> dict[str, pl.Series]:
        """Returns the label columns."""
        size, spec = len(values), self.spec
        constants = {"ability": spec.ability or spec.name, "language": spec.language}
        out = {"source": constant(spec.name, size, pl.String)}
        for name, otherwise in constants.items():
            if column := self.mapped.get(name):
                out[name] = pl.Series([v.get(column) or otherwise for v in values], dtype=pl.String)
            else:
                out[name] = constant(otherwise, size, pl.String)
        if column := self.mapped.get("domain"):
            flags = [flag(v, column) if v.get(column) is not None else spec.domain for v in values]
            out["domain"] = pl.Series(flags, dtype=pl.Boolean)
        else:
            out["domain"] = constant(spec.domain, size, pl.Boolean)
        if column := self.mapped.get("tags"):
            tags = [_tags(v[column], column) if v.get(column) is not None else None for v in values]
            out["tags"] = pl.Series(tags, dtype=pl.List(pl.String))
        return out


def _tags(label: Any, column: str) -> list[str]:
    if type(label) is str:
        return [tag.strip() for tag in label.split(",") if tag.strip()]
    if type(label) is not list or any(type(tag) is not str for tag in label):
        raise Refusal("wrong_type", f"{column!r} is not a list of texts")
    return label
