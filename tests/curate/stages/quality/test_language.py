"""Languages told by script or model, and rows that nobody can tell."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from curate.rows import empty_rows
from curate.stages.quality.language import Language, LanguageScore

TOLD = [
    ("你好", "zh"),
    ("WiFi连不上了", "zh"),
    ("我要办理 5G 套餐", "zh"),
    ("請問呢個點樣用", "zh"),
    ("how are you doing today", "en"),
    ("PLEASE CALL ME BACK TOMORROW MORNING", "en"),
    ("こちら東京都の天気です", "ja"),
    ("안녕하세요 여러분 반갑습니다", "ko"),
    ("Сегодня хорошая погода и мы идём гулять", "ru"),
    ("Guten Tag, ich habe eine Frage zu meinem Vertrag", "de"),
]
UNTOLD = ["OK", "thanks a lot", "3+4=7", "。。。", "", "```python\nimport os, sys, json, shutil\n```"]


def judged(rows: pl.DataFrame, **parameters: Any) -> list[str | None]:
    """Returns the reason of each row."""
    score, bounds = Language(**parameters).parts()
    return bounds.judge(rows.hstack(score.score(rows))).to_list()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("text", "language"), TOLD)
def test_names_the_language(make_chats: Any, text: str, language: str) -> None:
    """Han script is Chinese at any length, the rest is told by the model, shouting or not."""
    scores = LanguageScore().score(make_chats([("u", text)]))
    assert scores["language_detected"].to_list() == [language]
    assert 0.5 < scores["language_confidence"][0] <= 1.0


@pytest.mark.parametrize("text", UNTOLD)
def test_abstains_on_short_text(make_chats: Any, text: str) -> None:
    """Too few words, or code alone: no language, and the row stays."""
    rows = make_chats([("u", text)])
    assert LanguageScore().score(rows).rows() == [(None, None)]
    assert judged(rows, unsure="drop") == [None]


def test_drops_other_languages(make_rows: Any) -> None:
    """A language outside `keep` is dropped, for chats, pairs and documents alike."""
    russian = TOLD[8][0]
    rows = make_rows(
        {"messages": [("u", "你好"), ("a", "您好")]},
        {"messages": [("u", russian), ("a", russian)]},
        {"kind": "text", "text": russian},
        {"kind": "preference", "prompt": [("u", russian)], "chosen": [("a", russian)], "rejected": [("a", "no")]},
        {"kind": "text", "text": None},
    )
    wrong = "wrong_language"
    assert judged(rows) == [None, wrong, wrong, wrong, None]
    assert judged(rows, keep=["ru"]) == [wrong, None, None, None, None]


def test_unsure_rows_stay_unless_asked(make_chats: Any) -> None:
    """A language named with less than `min_confidence` is no ground to drop, but for `unsure: drop`."""
    rows = make_chats([("u", "def foo(x): return x+1 # add")], [("u", "how are you doing today")])
    assert judged(rows) == [None, None]
    assert judged(rows, unsure="drop") == ["unsure_language", None]
    assert judged(rows, unsure="drop", min_confidence=0.99) == ["unsure_language"] * 2


def test_system_and_tool_turns_are_not_read(make_chats: Any) -> None:
    """An English system message over a Chinese talk leaves the talk Chinese."""
    rows = make_chats([("s", "You are a helpful assistant who answers calls"), ("u", "你好"), ("a", "您好，请讲")])
    assert LanguageScore().score(rows)["language_detected"].to_list() == ["zh"]


def test_moving_the_threshold_identifies_nothing_again() -> None:
    """Two thresholds share the identification."""
    assert Language(min_confidence=0.5).parts()[0] == Language(min_confidence=0.9, keep=("zh",)).parts()[0]


def test_scores_do_not_depend_on_neighbours(make_chats: Any) -> None:
    """A frame's scores are its halves' scores."""
    rows = make_chats(*([("u", text)] for text, _ in TOLD), *([("u", text)] for text in UNTOLD))
    score = LanguageScore().score
    assert score(rows).equals(pl.concat([score(rows[:5]), score(rows[5:])]))
    assert score(empty_rows()).schema == score(rows).schema
