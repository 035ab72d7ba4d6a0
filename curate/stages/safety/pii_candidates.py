"""The cheap pass of redact_pii: which texts could hold personal data at all, and characters brought to one width."""

from __future__ import annotations

import polars as pl

_DIGIT = "[0-9０-９]"
_LETTER = "[A-Za-zＡ-Ｚａ-ｚ]"
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
"""First characters of Chinese licence plates."""

_CANDIDATES = (
    "[@＠]",  # e-mail, credentials of a URL
    rf"{_DIGIT}(?:[ 　()（）.．\-－]{{0,3}}{_DIGIT}){{6}}",  # phones, cards, identity numbers
    rf"{_DIGIT}[.．]{_DIGIT}{{1,3}}[.．]{_DIGIT}{{1,3}}[.．]{_DIGIT}|::|(?:[0-9A-Fa-f]{{1,4}}:){{7}}",  # addresses
    r"[?&][A-Za-z_\-]+=",  # secrets in a query
    rf"{_LETTER}{{2}}{_DIGIT}{{2}}[ 　]?(?:[A-Za-z0-9Ａ-Ｚａ-ｚ０-９]{{4}}[ 　]?){{2}}",  # IBAN
    rf"[{PROVINCES}]{_LETTER}[·•・ \-]?[A-Za-z0-9Ａ-Ｚａ-ｚ０-９]{{4}}",  # licence plates
    "[零〇一二三四五六七八九幺]{11}",  # phone numbers as they are spoken
)


def candidates(text: pl.Series) -> pl.Series:
    """Returns True for the texts in which a finder could find something; the others need no closer look.

    One pattern at a time, as the regex engine is faster on each than on all in one.
    """
    hits = text.str.contains(_CANDIDATES[0])
    for pattern in _CANDIDATES[1:]:
        hits |= text.str.contains(pattern)
    return hits


_WIDE = [*range(ord("０"), ord("９") + 1), *range(ord("Ａ"), ord("Ｚ") + 1), *range(ord("ａ"), ord("ｚ") + 1)]
_NARROW = {code: code - 0xFEE0 for code in [*_WIDE, *map(ord, "＠＋－．（）／")]} | {ord("\u3000"): ord(" ")}


def narrow(text: str) -> str:
    """Returns the text with full-width letters, digits and number punctuation as ASCII, every place unmoved."""
    return text.translate(_NARROW)
