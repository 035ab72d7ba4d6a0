"""Texts: what a row says, as one text, and what embeddings tell apart badly: its numbers, and whether it says no."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import xxhash
from numpy.typing import NDArray

from curate.rows import turns

On = Literal["row", "prompt", "answer"]

_NUMBER = r"\p{Nd}+(?:[.,]\p{Nd}+)*"
_LIST_MARK = r"(?m)^[ \t]*\(?\p{Nd}{1,2}[.)、）:][ \t]"
_HARMLESS = "特别|分别|区别|级别|性别|类别|识别|别人|非常|不同|不错|差不多|不断|不仅|不但|没关系"
_NEGATION = r"(?i)\b(?:no|not|never|none|nobody|nothing|neither|nor|cannot|without)\b|n['’]t\b|[不没沒无無未非勿莫别別]"


def compared_texts(rows: pl.DataFrame, on: On) -> pl.DataFrame:
    """Returns row (UInt32) and text of the rows that have something to compare; system messages are left out.

    A preference pair or judged completion goes by its prompt (its chosen answer or completion for ``answer``), a
    document by its text.
    """
    flat = turns(rows).filter(pl.col("role") != "system")
    fields = ("text", "chosen", "completion") if on == "answer" else ("text", "prompt")
    chat = pl.col("field") == "messages"
    if on != "row":
        last = pl.col("turn").filter(pl.col("role") == "assistant").max().over("row", "field")
        chat &= (pl.col("turn") < last) if on == "prompt" else (pl.col("turn") == last)
    flat = flat.filter(chat | pl.col("field").is_in(fields))
    texts = flat.group_by("row", maintain_order=True).agg(pl.col("text").str.join("\n")).sort("row")
    return texts.filter(pl.col("text").str.strip_chars() != "")


def number_hashes(texts: pl.Series) -> NDArray[np.int64]:
    """Returns a hash (60 bits) of the set of numbers in each text, marks of lists aside; 0 for none."""
    bare = texts.str.replace_all(_LIST_MARK, "")
    found = bare.str.extract_all(_NUMBER).list.eval(
        pl.element()
        .str.normalize("NFKC")
        .str.replace_all(r",(\d{3})", "${1}")
        .str.replace(r"(\.\d*?)0+$", "${1}")
        .str.strip_chars_end(".")
        .str.replace(r"^0+(\d)", "${1}")
    )
    joined = found.list.unique().list.sort().list.join(" ").to_list()
    return np.array([xxhash.xxh3_64_intdigest(text.encode()) >> 4 if text else 0 for text in joined], np.int64)


def negations(texts: pl.Series) -> NDArray[np.bool_]:
    """Returns which texts hold a word of negation, English or Chinese."""
    found = texts.str.replace_all(_HARMLESS, "").str.contains(_NEGATION)
    return np.array(found.to_numpy())
