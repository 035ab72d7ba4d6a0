"""Text folded to what a reader would call the same text: width, case, spacing and sentence punctuation do not count."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from curate.arrow import column_of, series_of, text_bytes
from curate.stages.dedup.fold_loop import fold_all
from curate.stages.dedup.fold_table import MARKS, WIDE_PUNCTUATION, table

_RUN = f"[{MARKS}]+"


def fold(texts: pl.Series) -> pl.Series:
    """Returns the texts NFKC-normalised, lower-cased, without sentence punctuation, runs of white space as one space.

    ASCII marks (``. , ! ? ; : " '``) go at the edge of a word and next to a Han character, never inside a word or
    number, so ``3.5`` stays apart from ``35`` and ``3-4`` from ``3*4``; spaces next to Han characters go. A text
    of nothing but marks keeps them. A null is an empty text.
    """
    return series_of(folded(column_of(texts.rechunk()))).alias(texts.name)


def folded(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Returns a column of texts as `fold` does."""
    data, ends, hard = fold_all(*text_bytes(texts), *table())
    known = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(data))
    if not hard.any():
        return known
    slow = fold_hard(series_of(texts).filter(pl.Series(hard)))
    return column_of(series_of(known).scatter(np.flatnonzero(hard), slow))


def fold_hard(texts: pl.Series) -> pl.Series:
    """Returns what ``fold`` does by regular expressions, for any text: letters that compose, expand or depend on others."""
    plain = texts.fill_null("").str.replace_all(f"[{WIDE_PUNCTUATION}]", " ").str.replace_all("[‘’]", "'")
    plain = plain.str.normalize("NFKC").str.to_lowercase()
    plain = plain.str.replace_all(rf"(\p{{Han}})(?:\s*{_RUN})+", "${1} ").str.replace_all(_RUN + r"(\p{Han})", " ${1}")
    plain = plain.str.replace_all(_RUN + r"(\s|$)", " ").str.replace_all(r"(^|\s)[\"']+", " ")
    plain = plain.str.replace_all(r"\s+", " ").str.strip_chars()
    plain = plain.str.replace_all(r"(\p{Han}) ", "${1}").str.replace_all(r" (\p{Han})", "${1}")
    frame = pl.DataFrame({"folded": plain, "text": texts.str.strip_chars()})
    return frame.select(pl.when(pl.col("folded") == "").then("text").otherwise("folded").alias("folded"))["folded"]
