"""Units: what is the same text, whatever its width, case, script, punctuation and line breaks."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.stages.decontaminate.units import units_of

WORDS = st.lists(st.text("abcdefghijxyzÅéßñж0123456789", min_size=1, max_size=9), min_size=1, max_size=30)
HAN = st.text("的一是在不了有和人這个們里后發面头", min_size=1, max_size=40)


def units(text: str) -> list[int]:
    """Returns the hashes of a text's units."""
    return [int(h) for h in units_of(pl.Series([text])).hashes]


SAME = {
    "width": ("Hello, 42!", "Ｈｅｌｌｏ，４２！"),
    "case": ("GROSSE Straße", "große strasse"),
    "apostrophes": ("the user's own", "the user’s own"),
    "composed": ("café", "cafe\u0301"),
    "script": ("請問這個業務", "请问这个业务"),
    "soft hyphen": ("contami\u00adnation", "contamination"),
    "zero width": ("你\u200b好", "你好"),
    "spaces between characters": ("你 好\n世 界", "你好世界"),
    "circled labels": ("① 上门 ② 电话", "上门 电话"),
    "marks around words": ('**"bold"** — yes', "bold yes"),
    "half-width kana": ("ｶﾞｽ", "ガス"),
    "ligature": ("ﬁne", "fine"),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_text_has_the_same_units(name: str) -> None:
    """What a reader takes for the same text is the same row of units."""
    one, other = SAME[name]
    assert units(one) == units(other)


def test_other_words_are_other_units() -> None:
    """Words, numbers and characters tell texts apart, and so do word borders."""
    texts = ["a b", "ab", "b a", "3.5", "35", "你好", "好你", "naive", "native", ""]
    assert len({tuple(units(text)) for text in texts}) == len(texts)


def test_a_character_weighs_half_a_word() -> None:
    """Words weigh two; Han characters, kana and Thai letters one."""
    found = units_of(pl.Series(["two words 你好 カ ไท 한국어"]))
    assert found.weights.tolist() == [2, 2, 1, 1, 1, 1, 1, 2]


def test_units_know_their_bytes() -> None:
    """Each unit's bounds cut its text out of the bytes, also after texts that had to be folded first."""
    found = units_of(pl.Series(["ﬁne café", "Hello, 世界!"]))
    cut = [found.data[a:b].tobytes().decode() for a, b in zip(found.starts, found.ends, strict=True)]
    assert cut == ["fine", "café", "Hello", "世", "界"]
    assert found.bounds.tolist() == [0, 2, 5]


CHANGES: dict[str, Callable[[str], str]] = {
    "wrapped": lambda text: "\n".join(textwrap.wrap(text, 20, break_long_words=False)),
    "upper": str.upper,
    "wide": lambda text: text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
    "marked": lambda text: text.replace(" ", " , ").replace("的", "，的") + "。",
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
}


@given(words=WORDS, han=HAN, name=st.sampled_from(sorted(CHANGES)))
@settings(max_examples=120, deadline=None)
def test_changes_of_form_change_nothing(words: list[str], han: str, name: str) -> None:
    """Wrapping, case, width, punctuation and composition never change the units of any text."""
    text = f"{' '.join(words)} {han}"
    assert units(CHANGES[name](text)) == units(text)


@given(st.lists(st.text(), max_size=5))
@settings(max_examples=100, deadline=None)
def test_any_text_has_units(texts: list[str]) -> None:
    """Any text at all is read, and texts beside each other don't mix."""
    texts = [text.encode(errors="ignore").decode() for text in texts]
    together = units_of(pl.Series(texts, dtype=pl.String))
    for number, text in enumerate(texts):
        mine = together.hashes[together.bounds[number] : together.bounds[number + 1]]
        assert np.array_equal(mine, units_of(pl.Series([text])).hashes)
