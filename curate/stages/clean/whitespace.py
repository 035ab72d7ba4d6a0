"""Tidies whitespace outside code: odd spaces become spaces, runs become one, line and turn ends are trimmed."""

from __future__ import annotations

import polars as pl

ODD_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f"
"""Unicode spaces that mean nothing but a space (the ideographic space is full-width text, not odd)."""

_UNTIDY = f"^\\s|\\s$|  |[ \\t\u3000]\\n|[{ODD_SPACES}]"


def tidy_whitespace(text: pl.Series) -> pl.Series:
    """Returns the texts with whitespace tidied; newlines, tabs inside a line and indentation stay.

    A text of one line loses its indentation too; one of many lines only loses empty lines at its start.
    """
    hit = text.str.contains(_UNTIDY).arg_true()
    return text.clone().scatter(hit, _tidy(text.gather(hit)))


def _tidy(text: pl.Series) -> pl.Series:
    spaced = (
        text.str.replace_all(f"[{ODD_SPACES}]", " ")
        .str.replace_all(r"(\S) {2,}", "$1 ")
        .str.replace_all("[ \\t\u3000]+\\n", "\n")
        .str.replace("^(?:[ \\t\u3000]*\\n)+", "")
        .str.strip_chars_end()
    )
    one_line = ~spaced.str.contains("\n", literal=True)
    return spaced.zip_with(~one_line, spaced.str.strip_chars_start())
