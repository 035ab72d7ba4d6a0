"""Exact deduplication: rows that say the same thing, apart from spacing, case, width and sentence punctuation."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl
import xxhash
from pydantic import Field

from curate.rows import CHAT_FIELDS, flat_messages
from curate.stage import Sketch
from curate.stages.dedup.folding import fold
from curate.stages.dedup.keeping import KeepingSelect

_UNIT = "\x1f"
_RECORD = "\x1e"
_ANSWERS = ("chosen", "completion")
_FIELDS: dict[str, tuple[str, ...]] = {
    "prompt": ("messages", "prompt"),
    "answer": ("messages", *_ANSWERS),
    "row": CHAT_FIELDS,
}


class ExactDedup(KeepingSelect):
    """Keeps one row of each set of rows whose folded text is equal on 128 bits of XXH3."""

    name: ClassVar[str] = "exact_dedup"
    version: ClassVar[int] = 2
    reasons: ClassVar[tuple[str, ...]] = ("exact_duplicate",)

    on: Literal["prompt", "row", "answer"] = Field(
        default="row",
        description="what is compared: the whole row, all before the last answer, or the last answer (of a preference "
        "pair the chosen one); a document is compared by its text",
    )

    def sketch(self, rows: pl.DataFrame, learned: pl.DataFrame | None) -> Sketch:
        """Returns the digests of what is compared; there are no keys, because only equal rows are alike.

        Rows with nothing to compare (a chat without an answer, compared on answers) are left out.
        """
        texts = _compared(rows, self.on)
        high, low = _hashes(texts["text"])
        ranks = self.ranks(rows).gather(texts["row"])
        return Sketch(texts.select("row", high=high, low=low, rank=ranks, weight=pl.lit(0, dtype=pl.UInt32)))


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
