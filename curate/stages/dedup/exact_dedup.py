"""Exact deduplication: rows that say the same thing, apart from spacing, case, width and sentence punctuation."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
import xxhash
from pydantic import Field, model_validator

from curate.rows import CHAT_FIELDS, flat_messages
from curate.stage import Select
from curate.stages.dedup.folding import fold

_UNIT = "\x1f"
_RECORD = "\x1e"
_ANSWERS = ("chosen", "completion")
_FIELDS: dict[str, tuple[str, ...]] = {
    "prompt": ("messages", "prompt"),
    "answer": ("messages", *_ANSWERS),
    "row": CHAT_FIELDS,
}


class ExactDedup(Select):
    """Keeps one row of each set of rows whose folded text is equal on 128 bits of XXH3."""

    name: ClassVar[str] = "exact_dedup"
    reasons: ClassVar[tuple[str, ...]] = ("exact_duplicate",)

    on: Literal["prompt", "row", "answer"] = Field(
        default="row",
        description="what is compared: the whole row, all before the last answer, or the last answer (of a preference "
        "pair the chosen one); a document is compared by its text",
    )
    keep: Literal["first", "longest", "source"] = Field(
        default="first",
        description="which row of a set stays: the first in the data, the one with most characters, or the one whose "
        "source comes first in `sources`",
    )
    sources: tuple[str, ...] = Field(default=(), description="sources in the order they are kept, for `keep: source`")

    @model_validator(mode="after")
    def _sources_fit_keep(self) -> Self:
        if (self.keep == "source") != bool(self.sources):
            raise ValueError("`sources` is needed with `keep: source`, and only then: name sources, most wanted first")
        return self

    def sketch(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns row, key and digest (the two halves of the hash) and rank (Int64, lowest is kept).

        Rows with nothing to compare (a chat without an answer, compared on answers) are left out.
        """
        texts = _compared(rows, self.on)
        key, digest = _hashes(texts["text"])
        ranks = self._ranks(rows)
        return texts.select("row", key=key, digest=digest, rank=ranks.gather(texts["row"]))

    def match(self, bucket: pl.DataFrame) -> pl.DataFrame:
        """Returns an edge from the first row of each set of equal rows to each of the others, score 1."""
        first = pl.col("id").first().over("key", "digest")
        stars = bucket.sort("position", "id").select(a=first, b="id").filter(pl.col("a") != pl.col("b"))
        return stars.with_columns(score=pl.lit(1.0))

    def choose(self, nodes: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
        """Returns every matched row but the kept one of its set; protected rows are kept before all others."""
        matched = nodes.join(pl.DataFrame({"id": pl.concat([edges["a"], edges["b"]]).unique()}), on="id", how="semi")
        order = [~pl.col("protected"), pl.col("rank"), pl.col("position"), pl.col("id")]
        keeper = pl.col("id").sort_by(order).first().over("key", "digest")
        verdicts = matched.with_columns(other_id=keeper).sort("position", "id")
        dropped = verdicts.filter((pl.col("id") != pl.col("other_id")) & ~pl.col("protected"))
        return dropped.select("id", reason=pl.lit("exact_duplicate"), other_id="other_id", score=pl.lit(1.0))

    def _ranks(self, rows: pl.DataFrame) -> pl.Series:
        if self.keep == "source":
            places = list(range(len(self.sources)))
            last = len(self.sources)
            return rows["source"].replace_strict(list(self.sources), places, default=last, return_dtype=pl.Int64)
        if self.keep == "longest":
            return -_lengths(rows)
        return pl.zeros(rows.height, dtype=pl.Int64, eager=True)


def _compared(rows: pl.DataFrame, on: str) -> pl.DataFrame:
    """Returns row and text: the folded text a row is compared by, its turns and fields kept apart."""
    parts = [_message_parts(rows, field, on) for field in _FIELDS[on] if rows[field].null_count() < rows.height]
    flat = [part for part in parts if part.height]
    documents = rows.select(row=pl.int_range(pl.len(), dtype=pl.UInt32), text="text").drop_nulls("text")
    if documents.height:
        flat.append(documents.with_columns(text=fold(documents["text"])))
    if not flat:
        return pl.DataFrame(schema={"row": pl.UInt32, "text": pl.String})
    turns = pl.concat(flat).group_by("row", maintain_order=True).agg(pl.col("text").str.join(_RECORD)).sort("row")
    label = pl.col("label").cast(pl.String).fill_null("") if on == "row" else pl.lit("")
    tools = pl.col("tools").fill_null("") if on != "answer" else pl.lit("")
    heads = rows.select(pl.concat_str("kind", label, tools, separator=_UNIT).alias("head"))["head"].gather(turns["row"])
    return turns.select("row", text=pl.concat_str(heads, "text", separator=_RECORD))


def _message_parts(rows: pl.DataFrame, field: str, on: str) -> pl.DataFrame:
    flat = flat_messages(rows, field)
    if field == "messages" and on != "row":
        last = pl.col("turn").filter(pl.col("role") == "assistant").max().over("row")
        wanted = pl.col("turn") < last if on == "prompt" else pl.col("turn") == last
        flat = flat.filter(wanted)
    return flat.select(
        "row",
        text=pl.concat_str(
            pl.lit(field),
            "role",
            fold(flat["content"].fill_null("")),
            pl.col("tool_calls", "reasoning_content", "name").fill_null(""),
            separator=_UNIT,
        ),
    )


def _hashes(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Returns the two 64-bit halves of XXH3-128 of each text."""
    digests = b"".join(map(xxhash.xxh3_128_digest, texts.cast(pl.Binary).to_list()))
    halves = np.frombuffer(digests, dtype=">u8").reshape(-1, 2).astype(np.uint64)
    return pl.Series(halves[:, 0].copy()), pl.Series(halves[:, 1].copy())


def _lengths(rows: pl.DataFrame) -> pl.Series:
    """Returns the characters of all messages or the text of each row."""
    characters = rows["text"].str.len_chars().fill_null(0).cast(pl.Int64)
    for field in CHAT_FIELDS:
        contents = pl.element().struct.field("content").str.len_chars()
        characters += rows[field].list.eval(contents).list.sum().fill_null(0).cast(pl.Int64)
    return characters
