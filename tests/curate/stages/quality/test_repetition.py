"""Gopher's repetition rules against plain Python, and what they drop."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.rows import empty_rows
from curate.stages.quality.repeats import MEASURES, measure
from curate.stages.quality.repetition import Repetition, RepetitionScore

WORDS = [f"w{i}" for i in range(120)]
PROSE = " ".join(WORDS)
HAN = "".join(chr(0x4E00 + 7 * i) for i in range(150))


def shares(text: str, min_units: int = 1) -> dict[str, float]:
    """Returns the measures of one text by name."""
    data = text.encode()
    found = measure(np.frombuffer(data, np.uint8), np.array([0, len(data)]), min_units)
    return dict(zip(MEASURES, found[0].tolist(), strict=True))


def judged(rows: pl.DataFrame, **parameters: Any) -> list[str | None]:
    """Returns the reason of each row."""
    score, bounds = Repetition(**parameters).parts()
    return bounds.judge(rows.hstack(score.score(rows))).to_list()  # type: ignore[attr-defined]


def slow_top(units: list[str], width: int) -> float:
    """The share of characters in the most frequent window, by definition."""
    counts: dict[tuple[str, ...], int] = {}
    free: dict[tuple[str, ...], int] = {}
    for i in range(len(units) - width + 1):
        window = tuple(units[i : i + width])
        if i >= free.get(window, 0):
            counts[window] = counts.get(window, 0) + 1
            free[window] = i + width
    most = max(counts.values(), default=0)
    sizes = [n * sum(map(len, window)) for window, n in counts.items() if n == most and n > 1]
    return max(sizes, default=0) / max(1, sum(map(len, units)))


def slow_repeated(units: list[str], width: int) -> float:
    """The share of characters in windows seen before, by definition."""
    seen: set[tuple[str, ...]] = set()
    at = repeated = 0
    while at + width <= len(units):
        window = tuple(units[at : at + width])
        if window in seen:
            repeated += sum(map(len, window))
            at += width
        else:
            seen.add(window)
            at += 1
    return repeated / max(1, sum(map(len, units)))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["a", "bb", "Word", "é", "naïve_1", "привет"]), min_size=1, max_size=60))
def test_n_grams_of_words(words: list[str]) -> None:
    """The compiled n-gram shares of words are those of the definition, case aside."""
    found = shares(" , ".join(words))
    units = [word.replace("W", "w") for word in words]
    for n in (2, 3, 4):
        assert found[f"top_{n}"] == pytest.approx(slow_top(units, n))
    for n in range(5, 11):
        assert found[f"dup_{n}"] == pytest.approx(slow_repeated(units, n))


@settings(max_examples=100, deadline=None)
@given(st.text("好请稍等，。 𠀀カ", min_size=1, max_size=80))
def test_n_grams_of_characters_are_twice_as_wide(text: str) -> None:
    """In Chinese every character is a unit and windows are twice as wide; marks and spaces are no units."""
    found = shares(text)
    units = [c for c in text if c not in "，。 "]
    for n in (2, 3, 4):
        assert found[f"top_{n}"] == pytest.approx(slow_top(units, 2 * n))
    for n in range(5, 11):
        assert found[f"dup_{n}"] == pytest.approx(slow_repeated(units, 2 * n))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "中文", " a ", "", "", "long line"]), min_size=1, max_size=20))
def test_lines_and_paragraphs(lines: list[str]) -> None:
    """Repeated lines and paragraphs are those seen before, spaces at their ends aside."""
    text = "x\n" + "\n".join(lines)
    found = shares(text)
    kept = [line.strip() for line in text.split("\n") if line.strip()]
    again = [line for i, line in enumerate(kept) if line in kept[:i]]
    assert found["lines"] == pytest.approx(len(again) / len(kept))
    sizes = [len(line.replace(" ", "")) for line in kept]
    assert found["line_chars"] == pytest.approx(sum(len(x.replace(" ", "")) for x in again) / sum(sizes))


def test_paragraphs_are_cut_at_blank_lines() -> None:
    """Two equal paragraphs of two lines are one repeated paragraph of three."""
    found = shares("a b\nc\n\na b\nc\n \nd\n")
    assert found["paragraphs"] == pytest.approx(1 / 3)
    assert found["paragraph_chars"] == pytest.approx(3 / 7)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("好的，请稍等，" * 25, "top_2_gram"),
        ("please hold the line, " * 40, "top_2_gram"),
        ("点击这里查看更多\n" * 20, "duplicate_lines"),
        (PROSE, None),
        (HAN, None),
        ("ha ha ha ha", None),
        (f"```\n{'x = 1; y = 2' * 99}\n```", None),
    ],
)
def test_drops_loops(make_rows: Any, text: str, reason: str | None) -> None:
    """An answer or document that loops is dropped; prose, short turns and code are not."""
    rows = make_rows({"messages": [("u", "x"), ("a", "fine"), ("u", "y"), ("a", text)]}, {"kind": "text", "text": text})
    assert judged(rows) == [reason, reason]


@pytest.mark.parametrize(
    "loop",
    [
        "好的，请稍等，" * 20,
        "your call is important to us, please wait. " * 15,
        "again and again, " * 34,
        f"{PROSE} " + "I am not sure. " * 60,
    ],
)
def test_loops_in_answers_are_dropped(make_chats: Any, loop: str) -> None:
    """A phrase said fifteen times or more is no answer, alone or behind a sound start."""
    assert judged(make_chats([("u", "x"), ("a", loop)]))[0] is not None


WORKED = (
    "Monday he sold 12 boxes at $4 each, so he made 12 * 4 = $48.\nTuesday he sold 9 boxes at $4 each, so he made 9 * 4 = $36.\n"
    "Wednesday he sold 15 boxes at $4 each, so he made 15 * 4 = $60.\nThursday he sold 7 boxes at $4 each, so he made 7 * 4 = $28.\n"
    "Together that is 48 + 36 + 60 + 28 = $172, of which half goes to his sister, and the flour, sugar and paper cost $30 in "
    "all. Half of the money is 172 / 2 = $86, and after paying for what he used there remain 86 - 30 = $56 for the new bicycle."
)


def test_answers_may_repeat_twice_as_much_as_documents(make_rows: Any) -> None:
    """A sum worked in like steps stays as an answer; the paper's bounds hold for documents, or for both if asked."""
    rows = make_rows({"messages": [("u", "x"), ("a", WORKED)]}, {"kind": "text", "text": WORKED})
    assert judged(rows, min_words=50) == [None, "duplicate_6_grams"]
    assert judged(rows, min_words=50, answer_slack=1) == ["duplicate_6_grams", "duplicate_6_grams"]


def test_slack_does_not_touch_repeated_turns(make_chats: Any) -> None:
    """The share of repeated turns is one of dialogues already."""
    again = [("u", "我的订单到哪里了呢"), ("a", "请您耐心等待一下。")]
    assert judged(make_chats(again * 3), max_turns=0.5, answer_slack=9) == ["repeated_turns"]


def test_bad_examples_may_loop(make_rows: Any) -> None:
    """A rejected answer and a completion judged bad are not measured; the chosen and the good ones are."""
    loop, fine = [("a", "好的，请稍等，" * 25)], [("a", "好的")]
    pair, judged_row = {"kind": "preference", "prompt": [("u", "x")]}, {"kind": "kto", "prompt": [("u", "x")]}
    rows = make_rows(
        {**pair, "chosen": fine, "rejected": loop},
        {**pair, "chosen": loop, "rejected": fine},
        {**judged_row, "completion": loop, "label": False},
        {**judged_row, "completion": loop, "label": True},
    )
    assert judged(rows) == [None, "top_2_gram", None, "top_2_gram"]


@pytest.mark.parametrize(
    ("text", "reason", "off"),
    [
        (" ".join(WORDS[:60]) + "\n" + "a b\n" * 30, "duplicate_lines", {}),
        (" ".join(WORDS[:60]) + "\n" + f"{PROSE[:200]}\n" * 3, "duplicate_line_chars", {"max_lines": 1}),
        (
            "\n\n".join([PROSE[:150]] * 2 + [PROSE[150:300]] * 2),
            "duplicate_paragraphs",
            {"max_lines": 1, "max_line_chars": 1},
        ),
        (
            "\n\n".join([*WORDS[:40], PROSE[:300], PROSE[:300]]),
            "duplicate_paragraph_chars",
            {"max_lines": 1, "max_line_chars": 1},
        ),
    ],
)
def test_lines_and_paragraphs_have_their_reasons(make_rows: Any, text: str, reason: str, off: Any) -> None:
    """Each rule about lines and paragraphs drops with its own reason."""
    assert judged(make_rows({"kind": "text", "text": text}), min_words=20, **off) == [reason]


@pytest.mark.parametrize("n", range(2, 11))
def test_each_n_gram_has_its_reason(make_rows: Any, n: int) -> None:
    """With the other rules off, every n-gram rule drops a loop with its own reason."""
    top = tuple(0.1 if n == k else 1.0 for k in (2, 3, 4))
    duplicate = tuple(0.1 if n == k else 1.0 for k in range(5, 11))
    rows = make_rows({"kind": "text", "text": " ".join(WORDS[:12] * 10)}, {"kind": "text", "text": PROSE})
    reason = f"top_{n}_gram" if n < 5 else f"duplicate_{n}_grams"
    loop = make_rows({"kind": "text", "text": " ".join(WORDS[:4] * 30)}, {"kind": "text", "text": PROSE})
    assert judged(loop if n < 5 else rows, max_top=top, max_duplicate=duplicate) == [reason, None]


def test_repeated_turns(make_chats: Any) -> None:
    """Turns said before by the same role count; short ones and short dialogues do not."""
    again = [("u", "我的订单到哪里了呢"), ("a", "请您耐心等待一下。")]
    rows = make_chats(
        again * 3,
        again,
        [("u", "好的"), ("a", "好的")] * 4,
        [*again, ("u", "完全不同的问题啊"), ("a", "另外一个回答。")],
    )
    assert judged(rows) == ["repeated_turns", None, None, None]
    assert RepetitionScore().score(rows)["repetition_turns"].to_list() == [0.6667, 0.0, 0.0, 0.0]


def test_bounds_are_shares() -> None:
    """A bound above one is refused."""
    with pytest.raises(ValidationError, match=r"every bound is a share from 0 to 1, found \[2.0, 0.1, 0.1\]"):
        Repetition(max_top=(2.0, 0.1, 0.1))


def test_scores_do_not_depend_on_neighbours(make_chats: Any) -> None:
    """A frame's scores are its halves' scores, and no rows give no scores."""
    rows = make_chats(
        *([("u", "x"), ("a", text * k)] for k in (1, 2, 3) for text in (PROSE, HAN, "好的，请稍等，" * 20))
    )
    score = RepetitionScore().score
    assert score(rows).equals(pl.concat([score(rows[:4]), score(rows[4:])]))
    assert score(empty_rows()).schema == score(rows).schema


@pytest.mark.parametrize(
    ("reason", "field", "place"),
    [
        ("top_2_gram", "max_top", 0),
        ("top_3_gram", "max_top", 1),
        ("top_4_gram", "max_top", 2),
        ("duplicate_5_grams", "max_duplicate", 0),
        ("duplicate_6_grams", "max_duplicate", 1),
        ("duplicate_7_grams", "max_duplicate", 2),
        ("duplicate_8_grams", "max_duplicate", 3),
        ("duplicate_9_grams", "max_duplicate", 4),
        ("duplicate_10_grams", "max_duplicate", 5),
    ],
)
def test_each_phrase_rule_drops_on_its_own(make_rows: Any, reason: str, field: str, place: int) -> None:
    """A phrase of just as many words said twice breaks the rule for that width; one word less does not."""
    words = int(reason.split("_")[1])
    bounds: dict[str, list[float]] = {"max_top": [1.0] * 3, "max_duplicate": [1.0] * 6}
    bounds[field][place] = 0.001
    texts = [f"{' '.join(WORDS[:n])} {PROSE.upper()} {' '.join(WORDS[:n])} end" for n in (words, words - 1)]
    rows = make_rows(*({"messages": [("u", "q"), ("a", text)]} for text in texts))
    assert judged(rows, **bounds) == [reason, None]
