"""Lengths counted exactly, bounds that hold at their edge, tokens only when asked for."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from curate.chat import rendered_lengths
from curate.errors import StageError
from curate.rows import empty_rows
from curate.stage import Filter, Score
from curate.stages.quality.length import CharLength, Length
from curate.stages.quality.token_length import TokenLength
from curate.tokens import load_tokenizer

TOKENIZER = "data_samples/tokenizer"
CHAT = {"messages": [("s", "系统"), ("u", "你好吗"), ("a", "hello")]}
PAIR = {
    "kind": "preference",
    "prompt": [("u", "ab")],
    "chosen": [("a", "cde")],
    "rejected": [("a", "c"), ("u", "d"), ("a", "f")],
}
JUDGED = {"kind": "kto", "prompt": [("u", "ab")], "completion": [("a", "c")], "label": True}
TEXT = {"kind": "text", "text": "文档123"}


def verdicts(stage: Length, rows: pl.DataFrame) -> list[str | None]:
    """Returns the first reason of each row after running the parts in order."""
    reasons = pl.Series([None] * rows.height, dtype=pl.String)
    for part in stage.parts():
        if isinstance(part, Score):
            rows = rows.hstack(part.score(rows))
        elif isinstance(part, Filter):
            reasons = pl.select(pl.coalesce(reasons, part.judge(rows))).to_series()
    return reasons.to_list()


def test_counts_characters_and_turns(make_rows: Any) -> None:
    """All turns count; of a pair's answers the longer one; a document has no turns."""
    scores = CharLength().score(make_rows(CHAT, PAIR, JUDGED, TEXT))
    assert scores["length_chars"].to_list() == [10, 5, 3, 5]
    assert scores["length_turns"].to_list() == [3, 4, 2, None]


def test_roles_limit_what_is_counted(make_rows: Any) -> None:
    """With `roles: [assistant]` only answers count."""
    scores = CharLength(roles=("assistant",)).score(make_rows(CHAT, TEXT))
    assert scores.rows() == [(5, 1), (0, None)]


@pytest.mark.parametrize(
    ("bounds", "reasons"),
    [
        ({"min_chars": 6}, [None, "too_short_chars", "too_short_chars", "too_short_chars"]),
        ({"max_chars": 9}, ["too_long_chars", None, None, None]),
        ({"max_chars": 10, "min_chars": 3}, [None, None, None, None]),
        ({"min_turns": 3}, [None, None, "too_short_turns", None]),
        ({"max_turns": 3}, [None, "too_long_turns", None, None]),
    ],
)
def test_bounds(make_rows: Any, bounds: Any, reasons: Any) -> None:
    """A bound keeps its own value; a document is not judged by turns."""
    assert verdicts(Length(**bounds), make_rows(CHAT, PAIR, JUDGED, TEXT)) == reasons


def test_tokens_are_those_of_the_rendered_row(make_rows: Any) -> None:
    """Token lengths are exact for chats and documents, the longer side for pairs."""
    rows = make_rows(CHAT, TEXT, PAIR, JUDGED)
    sides = make_rows(
        {"messages": [*PAIR["prompt"], *PAIR["chosen"]]},
        {"messages": [*PAIR["prompt"], *PAIR["rejected"]]},
        {"messages": [*JUDGED["prompt"], *JUDGED["completion"]]},
    )
    tokenizer = load_tokenizer(TOKENIZER)
    exact, (first, second, third) = rendered_lengths(rows, tokenizer), rendered_lengths(sides, tokenizer)
    found = TokenLength.model_validate({"tokenizer": TOKENIZER}).score(rows)["length_tokens"].to_list()
    assert found == [exact[0], exact[1], max(first, second), third]
    bounds = {"min_tokens": exact[1] + 1, "max_tokens": exact[0] - 1, "tokenizer": TOKENIZER}
    assert verdicts(Length.model_validate(bounds), rows[:2]) == ["too_long_tokens", "too_short_tokens"]


def test_tokens_are_counted_only_when_bounded(make_rows: Any) -> None:
    """Without a bound in tokens no tokenizer is needed; with one and no tokenizer the error says what to set."""
    assert not Length(min_chars=1).needs_tokenizer
    assert [part.name for part in Length(min_chars=1).parts()] == ["char_length", "length_bounds"]
    stage = Length(max_tokens=5)
    assert stage.needs_tokenizer
    assert [part.name for part in stage.parts()] == ["token_length", "length_bounds"]
    with pytest.raises(StageError, match="set `tokenizer:` in the recipe"):
        verdicts(stage, make_rows(CHAT))


def test_moving_a_bound_scores_nothing_again() -> None:
    """The scores of two lengths with other bounds are the same stage."""
    assert Length(min_chars=1).parts()[0] == Length(min_chars=2).parts()[0]


@pytest.mark.parametrize(
    ("bounds", "message"),
    [({}, "no bound is set"), ({"min_turns": 5, "max_turns": 4}, "min_turns 5 is above max_turns 4")],
)
def test_senseless_bounds_are_refused(bounds: Any, message: str) -> None:
    """No bound, or bounds that nothing can meet, are an error when the recipe is read."""
    with pytest.raises(ValidationError, match=message):
        Length(**bounds)


def test_no_rows() -> None:
    """No rows give empty scores of the right type."""
    assert CharLength().score(empty_rows()).schema == {"length_chars": pl.Int64, "length_turns": pl.Int64}
    assert verdicts(Length(min_chars=1), empty_rows()) == []
    tokens = TokenLength.model_validate({"tokenizer": TOKENIZER}).score(empty_rows())
    assert tokens.schema == {"length_tokens": pl.Int64}
