"""What each character becomes before texts are compared: width, case, script variant and punctuation do not count."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

import numpy as np
import polars as pl

Array = np.ndarray[Any, Any]

SEPARATOR, WORD, SIGN, JOINER, IGNORED, HARD = 0, 1, 2, 3, 4, 5
"""Kinds of characters: between words, part of a word, a word by itself (Han, kana, Thai …), an apostrophe (goes
inside a word, parts words elsewhere), invisible, and what folds to several characters or depends on its neighbours."""

PLANE = 0x10000
_APOSTROPHES = "'’‘ʼ`＇"
_INVISIBLE = "\u00ad\u200c\u200d\u2060\ufeff" + "".join(map(chr, range(0xFE00, 0xFE10)))
_SIGN_BLOCKS = (
    (0x0E00, 0x0F00),  # Thai, Lao
    (0x0F00, 0x10A0),  # Tibetan, Burmese
    (0x1780, 0x1800),  # Khmer
    (0x2E80, 0x2FE0),  # radicals
    (0x3005, 0x3008),
    (0x3040, 0x3130),  # kana, bopomofo
    (0x31A0, 0x31C0),
    (0x31F0, 0x3200),
    (0x3400, 0x4DC0),
    (0x4E00, 0xA000),
    (0xF900, 0xFB00),
)
"""Scripts written without spaces: each character is a unit."""
_LABELS = (*range(0x2460, 0x2500), *range(0x2776, 0x2794))
"""Circled numbers and letters: they label options and list items, and part words."""

_LABELLED = "[\u2460-\u24ff\u2776-\u2793]"


@cache
def tables() -> tuple[Array, Array, Array]:
    """Returns for each character of the basic plane what it becomes (int32), its kind (uint8), and its kind in a text
    that `settled` has been over, where nothing is hard.
    """
    becomes = np.arange(PLANE, dtype=np.int32)
    kinds = np.full(PLANE, SEPARATOR, np.uint8)
    simple = simplified()
    for code in range(PLANE):
        if 0xD800 <= code < 0xE000:
            continue
        whole = folded(chr(code))
        one = whole if len(whole) == 1 else chr(code)
        becomes[code] = ord(simple.get(one, one))
        kinds[code] = _kind(one) if len(whole) == 1 or not _is_word(chr(code)) else HARD
        if len(whole) > 1 and any(map(_is_word, whole)):
            kinds[code] = HARD
    kinds[list(_LABELS)] = SEPARATOR
    calm = kinds.copy()
    marks = [code for code in range(PLANE) if unicodedata.category(chr(code))[0] == "M" and kinds[code] != IGNORED]
    depends = [*marks, *range(0x1100, 0x1200), 0xFF9E, 0xFF9F]
    kinds[depends] = HARD
    calm[kinds == HARD] = [_kind(chr(code)) for code in np.flatnonzero(kinds == HARD)]
    return becomes, kinds, calm


def settled(texts: pl.Series) -> pl.Series:
    """Returns texts with hard characters composed and folded, so that the tables hold for them one by one."""
    plain = texts.str.replace_all(_LABELLED, " ")
    return pl.Series(texts.name, [folded(text) for text in plain], dtype=pl.String)


@cache
def simplified() -> dict[str, str]:
    """Returns the simplified form of each traditional Chinese character that has one of its own."""
    from opencc import OpenCC

    han = [chr(code) for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))]
    found = OpenCC("t2s").convert("\n".join(han)).split("\n")
    return {old: new for old, new in zip(han, found, strict=True) if old != new and len(new) == 1 and ord(new) < PLANE}


def folded(text: str) -> str:
    """Returns a text compatibility-composed (NFKC) and case-folded."""
    lowered = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", lowered)


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def _kind(character: str) -> int:
    if character in _APOSTROPHES:
        return JOINER
    if character in _INVISIBLE:
        return IGNORED
    if not _is_word(character):
        return SEPARATOR
    return SIGN if any(low <= ord(character) < high for low, high in _SIGN_BLOCKS) else WORD
