"""Exact deduplication: rows that say the same thing, apart from spacing, case, width and sentence punctuation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash
from numpy.typing import NDArray
from pydantic import Field

from curate.arrow import column_of, series_of, text_bytes, texts_of
from curate.arrow_rows import ArrowRows
from curate.rows import CHAT_FIELDS, ROLES
from curate.stage import Sketch
from curate.stages.dedup.folding import folded
from curate.stages.dedup.keeping import KeepingSelect
from curate.stages.dedup.pieces import wanted_messages
from curate.stages.dedup.record_loop import records

_UNIT = "\x1f"
_ROLES = [*ROLES, "document"]
_MORE = ("tool_calls", "reasoning_content", "name")
_ANSWERS = ("chosen", "completion")
_FIELDS: dict[str, tuple[str, ...]] = {
    "prompt": ("messages", "prompt"),
    "answer": ("messages", *_ANSWERS),
    "row": CHAT_FIELDS,
}


class ExactDedup(KeepingSelect):
    """Keeps one row of each set of rows whose folded text is equal on 128 bits of XXH3."""

    name: ClassVar[str] = "exact_dedup"
    version: ClassVar[int] = 3
    reasons: ClassVar[tuple[str, ...]] = ("exact_duplicate",)

    on: Literal["prompt", "row", "answer"] = Field(
        default="row",
        description="what is compared: the whole row, all before the last answer, or the last answer (of a preference "
        "pair the chosen one); a document is compared by its text",
    )

    def sketch(self, rows: ArrowRows, learned: pl.DataFrame | None) -> Sketch:
        """Returns the digests of what is compared; there are no keys, because only equal rows are alike.

        Rows with nothing to compare (a chat without an answer, compared on answers) are left out.
        """
        at, parts = _compared(rows, self.on)
        digests = b"".join(map(xxhash.xxh3_128_digest, parts))
        halves = np.frombuffer(digests, dtype=">u8").reshape(-1, 2).astype(np.uint64)
        row = pl.Series(at.astype(np.uint32))
        return Sketch(
            pl.DataFrame(
                {
                    "row": row,
                    "high": halves[:, 0],
                    "low": halves[:, 1],
                    "rank": self.ranks(rows).gather(row),
                    "weight": np.zeros(len(row), np.uint32),
                }
            )
        )


def _compared(rows: ArrowRows, on: str) -> tuple[NDArray[np.int64], Iterable[bytes | memoryview]]:
    """Returns the rows that have something to compare, and the bytes each is compared by."""
    fields = [name for name in (*_FIELDS[on], "text") if rows.holds(name)]
    found = [_records(rows, field, on) for field in fields]
    if len(found) == 1:
        return found[0].rows, found[0].texts()
    parts = [dict(zip(records.rows.tolist(), records.texts(), strict=True)) for records in found]
    at = np.array(sorted(set().union(*parts)), np.int64)
    return at, [b"".join(part[row] for part in parts if row in part) for row in at.tolist()]


class _Records(NamedTuple):
    """What is said in a field: the rows that say something, and the records of all in ``data``, each from ``places`` on."""

    rows: NDArray[np.int64]
    data: NDArray[np.uint8]
    places: NDArray[np.int64]

    def texts(self) -> Iterator[memoryview]:
        """Yields the record of each of the rows."""
        view, starts, ends = self.data.data, self.places[self.rows].tolist(), self.places[self.rows + 1].tolist()
        return (view[start:end] for start, end in zip(starts, ends, strict=True))


def _heads(rows: ArrowRows, field: str, on: str) -> pl.Series:
    """Returns what a record of a field ends with, because rows that differ in it are never the same."""
    label = pl.col("label").cast(pl.String).fill_null("") if on == "row" else pl.lit("")
    tools = pl.col("tools").fill_null("") if on != "answer" else pl.lit("")
    return rows.labels.select(pl.concat_str(pl.lit(field), "kind", label, tools, separator=_UNIT).alias("head"))["head"]


def _records(rows: ArrowRows, field: str, on: str) -> _Records:
    """Returns what the rows say in a field."""
    if field == "text":
        bounds, texts = np.concatenate([[0], np.cumsum(rows["text"].is_not_null())]), rows["text"].drop_nulls()
        fields = {"role": column_of(pl.repeat("document", len(texts), eager=True)), "content": column_of(texts)}
    else:
        bounds, fields = _messages(rows, field, on)
    roles = series_of(fields["role"]).replace_strict(_ROLES, list(range(len(_ROLES))), return_dtype=pl.UInt8).to_numpy()
    said = text_bytes(folded(fields["content"]))
    written = records(bounds, roles, *said, *_more(fields, len(roles)), *texts_of(_heads(rows, field, on)))
    return _Records(np.flatnonzero(np.diff(bounds)), *written)


def _messages(rows: ArrowRows, field: str, on: str) -> tuple[NDArray[np.int64], dict[str, pa.Array]]:
    """Returns where each row's messages begin, and the fields of those that are compared."""
    bounds, fields = rows.lists(field)
    if field != "messages" or on == "row":
        return bounds, fields
    row = np.repeat(np.arange(len(rows)), np.diff(bounds))
    wanted = wanted_messages(series_of(fields["role"]), row, len(rows), on, True)
    kept = {name: column_of(series_of(column).filter(pl.Series(wanted))) for name, column in fields.items()}
    return np.concatenate([[0], np.cumsum(wanted)])[bounds], kept


def _more(fields: dict[str, pa.Array], number: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns what messages hold beside role and content, as `texts_of` does."""
    columns = [series_of(fields[name]) for name in _MORE if name in fields]
    if all(column.null_count() == number for column in columns):
        return np.empty(0, np.uint8), np.zeros(number + 1, np.int64)
    texts = pl.concat_str([column.fill_null("") for column in columns], separator=_UNIT)
    nothing = pl.all_horizontal([column.is_null() for column in columns])
    return texts_of(pl.select(pl.when(nothing).then(pl.lit("")).otherwise(texts)).to_series())
