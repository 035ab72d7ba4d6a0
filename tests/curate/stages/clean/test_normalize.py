"""Behaviour of normalize: what it mends, and what it must leave alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import polars as pl
import pytest
from ftfy.badness import MOJIBAKE_CATEGORIES, is_bad
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.stages.clean.characters import badness_pattern, mend_characters
from curate.stages.clean.normalize import Normalize

Texts = Callable[..., list[str]]


def _garble(text: str) -> str:
    return text.encode().decode("latin-1")


CASES = [
    ("mojibake", _garble("你好，世界"), "你好，世界"),
    ("mojibake in one line of many", "第一行\n" + _garble("客服：您好"), "第一行\n客服：您好"),
    ("windows-1252 mojibake", "donâ€™t", "don’t"),
    ("composed form", "cafe\u0301", "café"),
    ("line breaks", "a\r\nb\rc\u2028d", "a\nb\nc\nd"),
    ("control characters", "a\x00b\x07c\x1b[31md", "abcd"),
    ("zero-width characters", "你\u200b好\ufeff，\u2060再\u00ad见", "你好，再见"),
    ("bidi override in Latin text", "abc\u202etxt", "abctxt"),
    ("joiner between Latin letters", "a\u200db\u200cc\u200dd", "abcd"),
    ("joiner after a lone emoji", "😀\u200d你好", "😀你好"),
    ("smuggled tag characters", "hi\U000e0041\U000e0042", "hi"),
    ("runs of spaces", "你好   世界  !", "你好 世界 !"),
    ("odd spaces", "10\u00a0000\u2009km", "10 000 km"),
    ("ends of lines", "a  \nb\t\nc", "a\nb\nc"),
    ("ends of the turn", "\n\n  你好 \n", "你好"),
]
KEPT = [
    ("emoji sequence", "👩\u200d👩\u200d👧 👍🏽 ❤\ufe0f\u200d🔥 🏳\ufe0f\u200d🌈"),
    ("flag of England", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"),
    ("Persian non-joiner", "می\u200cخواهم"),
    ("Devanagari joiner", "क्\u200dष"),
    ("Arabic with a direction mark", "عربي\u200f abc"),
    ("Thai word break", "สวัสดี\u200bครับ"),
    ("blank lines", "a\n\n\n\nb"),
    ("tabs in a table", "a\t\tb"),
    ("indentation", "def f():\n    return  1".replace("  1", " 1")),
    ("paragraphs indented the Chinese way", "　　第一段\n　　第二段"),
    ("full-width forms", "ＡＢＣ１２３，（好）"),
    ("HTML entities", "a &amp; b &lt;br&gt;"),
    ("curly quotes", "“你好”，‘再见’"),
    ("inline code", "用 `a   b` 吧"),
    ("fenced code", "看：\n```py\nx  =  1   \n\n\n    y\n```\n好"),
    ("accented words", "Ça où naïve Ünïcode ÉCOLE São Ångström €5 «oui»"),
]


@pytest.mark.parametrize(("dirty", "clean"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_mends(edit_texts: Texts, dirty: str, clean: str) -> None:
    """Each kind of damage is mended."""
    assert edit_texts(Normalize(), [dirty]) == [clean]


@pytest.mark.parametrize("text", [case[1] for case in KEPT], ids=[case[0] for case in KEPT])
def test_leaves_alone(edit_texts: Texts, text: str) -> None:
    """What carries meaning stays byte for byte."""
    assert edit_texts(Normalize(), [text]) == [text]


def test_line_breaks_and_characters_are_mended_in_code_but_its_spaces_stay(edit_texts: Texts) -> None:
    """Code gets newlines and loses invisible characters, its spaces stay."""
    assert edit_texts(Normalize(), ["```\r\na  \u200b=  1\r\n```  好"]) == ["```\na  =  1\n``` 好"]


def test_fullwidth_half_keeps_chinese_punctuation_and_code(edit_texts: Texts) -> None:
    """Letters, digits, symbols and spaces turn ASCII; ，！？：；（） and code stay."""
    half = Normalize(fullwidth="half")
    assert edit_texts(half, ["ＡＢＣ　１２３．５％＠，（好）！", "`ＡＢＣ`"]) == ["ABC 123.5%@，（好）！", "`ＡＢＣ`"]


def test_traditional_becomes_simplified_outside_code_and_japanese(edit_texts: Texts) -> None:
    """Each turn is converted by itself, Japanese and code stay, phrases decide ambiguous characters."""
    texts = ["請問這個軟體怎麼用？", "皇后後來乾杯，乾隆皇帝", "日本語の漢字變換", "`繁體` 簡體", "already 简体"]
    wanted = ["请问这个软体怎么用？", "皇后后来干杯，乾隆皇帝", "日本語の漢字變換", "`繁體` 简体", "already 简体"]
    assert edit_texts(Normalize(to_simplified=True), texts) == wanted


def test_edit_names_only_changed_rows(make_chats: Callable[..., pl.DataFrame]) -> None:
    """Untouched rows are not named; a changed one carries the reason and its other turns."""
    rows = make_chats([("user", "你好"), ("assistant", "好")], [("user", "你\u200b好"), ("assistant", "您好")])
    edited = Normalize().edit(rows)
    assert edited.origin.to_list() == [1]
    assert edited.reasons.to_list() == ["normalized"]
    assert [m["content"] for m in edited.rows["messages"][0]] == ["你好", "您好"]
    assert rows["messages"][1][0]["content"] == "你\u200b好"


_ODD = "".join(sorted(set("".join(MOJIBAKE_CATEGORIES.values())) - {"-"}))
_ALPHABET = st.sampled_from(
    [
        *"ab A.,!~` \t\n\r\x00\x85\xa0\u2028\u200b\u200c\u200d\u202e\ufe0f\ufeff\u0301　你好，。Ａ｀１👩🏽❤🏴क्षमی繁體",
        *("```", "  ", "\U000e0067", "\U000f5eed", _garble("好"), "Ã", "€", "â€™", "คำ", "の"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(_ALPHABET, max_size=14).map("".join), max_size=4),
    st.sampled_from(["keep", "half"]),
    st.booleans(),
)
def test_is_idempotent(edit_texts: Texts, texts: list[str], fullwidth: str, simplified: bool) -> None:
    """A second pass finds nothing to do."""
    stage = Normalize(fullwidth=fullwidth, to_simplified=simplified)
    once = edit_texts(stage, texts)
    assert edit_texts(stage, once) == once


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from([*_ODD, *"aZ ,.?!\t\n\x1c中“”…—"]), max_size=8).map("".join))
def test_every_text_ftfy_calls_bad_reaches_it(text: str) -> None:
    """The pre-filter of mojibake is a superset of ftfy's own test."""
    assert not is_bad(text) or pl.Series([text]).str.contains(badness_pattern())[0]


def test_ordinary_punctuation_is_never_bad() -> None:
    """No short mix of the characters that skip mending, quotes and dashes included, is mojibake to ftfy."""
    ordinary = "—‘’“”…、。「！～ aA1,.中"
    mixes = ["".join(mix) for size in range(1, 5) for mix in itertools.product(ordinary, repeat=size)]
    assert not any(map(is_bad, mixes))
    assert mend_characters(pl.Series(mixes)).equals(pl.Series(mixes))


def test_takes_an_empty_frame(make_chats: Callable[..., pl.DataFrame]) -> None:
    """No rows in, nothing proposed."""
    edited = Normalize(fullwidth="half", to_simplified=True).edit(make_chats())
    assert (edited.rows.height, edited.drops.height, edited.notes.height) == (0, 0, 0)
