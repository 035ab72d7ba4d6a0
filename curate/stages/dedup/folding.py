"""Text folded to what a reader would call the same text: width, case, spacing and sentence punctuation do not count."""

from __future__ import annotations

import polars as pl

_WIDE_PUNCTUATION = r"[，。！？；：、…“”「」『』《》〈〉【】·—]"
_MARKS = r"[.,!?;:\"']+"


def fold(texts: pl.Series) -> pl.Series:
    """Returns the texts NFKC-normalised, lower-cased, without sentence punctuation, runs of white space as one space.

    ASCII marks (``. , ! ? ; : " '``) go at the edge of a word and next to a Han character, never inside a word or
    number, so ``3.5`` stays apart from ``35`` and ``3-4`` from ``3*4``; spaces next to Han characters go. A text
    of nothing but marks keeps them. Nulls stay null.
    """
    wide = texts.str.contains(r"[^\x00-\x7f]").fill_null(False)
    folded = _edge_marks(texts.str.to_lowercase())
    if wide.any():
        folded = folded.scatter(wide.arg_true(), _fold_wide(texts.filter(wide)))
    folded = folded.str.replace_all(r"\s+", " ").str.strip_chars()
    if wide.any():
        folded = folded.scatter(wide.arg_true(), _close_up(folded.filter(wide)))
    bare = (folded == "").fill_null(False)
    if bare.any():
        folded = folded.scatter(bare.arg_true(), texts.filter(bare).str.strip_chars())
    return folded


def _edge_marks(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(_MARKS + r"(\s|$)", " ").str.replace_all(r"(^|\s)[\"']+", " ")


def _fold_wide(texts: pl.Series) -> pl.Series:
    plain = texts.str.replace_all(_WIDE_PUNCTUATION, " ").str.replace_all("[‘’]", "'")
    plain = plain.str.normalize("NFKC").str.to_lowercase()
    plain = plain.str.replace_all(r"(\p{Han})" + _MARKS, "${1} ").str.replace_all(_MARKS + r"(\p{Han})", " ${1}")
    return _edge_marks(plain)


def _close_up(texts: pl.Series) -> pl.Series:
    """Takes spaces next to Han characters away."""
    return texts.str.replace_all(r"(\p{Han}) ", "${1}").str.replace_all(r" (\p{Han})", "${1}")
