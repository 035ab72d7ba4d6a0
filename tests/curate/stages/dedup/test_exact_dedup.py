"""What counts as the same, and which row stays."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.arrow_rows import ArrowRows
from curate.rows import empty_rows
from curate.stage import Only, Select
from curate.stages.dedup.exact_dedup import ExactDedup
from curate.stages.dedup.folding import fold, fold_hard
from tests.curate.selecting import select_lines

SAME = [
    ("你好，世界！", "你好 世界"),
    ("你好,世界", "你好世界。"),
    ("“你好”吗？", "你好吗"),
    ("Hello, World!", " hello\n world "),
    ("It’s OK…", "it's ok"),
    ("ＡＢＣ１２", "abc12"),
    ('He said: "no".', "he said no"),
    ("ß々? ?3", "ß々3"),
    ("é", "e\u0301"),
    (None, None),
]
DIFFERENT = [
    ("3.5", "35"),
    ("3-4", "3*4"),
    ("3-4", "3+4"),
    ("1,000", "1 000"),
    ("ab", "a b"),
    ("a\nb", "ab"),
    ("???", "!!!"),
    ("不好", "好不"),
    ("f(x)", "fx"),
    ("a_b", "ab"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_folding_joins(one: str, other: str) -> None:
    """Width, case, spacing and sentence marks do not count."""
    folded = fold(pl.Series([one, "x", other], dtype=pl.String))
    assert folded[0] == folded[2]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_folding_keeps_apart(one: str, other: str) -> None:
    """Numbers, operators, order and word borders count."""
    folded = fold(pl.Series([one, other]))
    assert folded[0] != folded[1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("aB3 .,!?'\"，。好　ＡéΣ\n-", max_size=12), min_size=1, max_size=6))
def test_folding_is_stable(texts: list[str]) -> None:
    """A folded text folds to itself, and no text depends on its neighbours."""
    folded = fold(pl.Series(texts))
    assert fold(folded).to_list() == folded.to_list()
    assert folded.to_list() == [fold(pl.Series([text]))[0] for text in texts]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.text("aB3 .,!?'\"，。“’好々　Ａéßﬁ①が가Σς\u0301\u00a0\u2028\n-🀄😀𠀀", max_size=14), min_size=1, max_size=6
    )
)
def test_the_compiled_loop_folds_like_regular_expressions(texts: list[str]) -> None:
    """Both ways of folding agree on every text."""
    assert fold(pl.Series(texts)).to_list() == fold_hard(pl.Series(texts)).to_list()


def verdicts(stage: Select, rows: pl.DataFrame) -> list[tuple[int, int]]:
    """Runs the stage as a recipe does; returns (row dropped, row kept instead)."""
    place = {name: at for at, name in enumerate(rows["id"])}
    found = select_lines(stage, rows)
    assert set(found["reason"]) <= set(stage.reasons)
    return [(place[a], place[b]) for a, b in found.select("id", "other_id").iter_rows()]


Q, A, B = ("u", "查话费"), ("a", "好的，请稍等。"), ("a", "请稍等一会儿，马上为您查询。")
CALL = {"role": "assistant", "tool_calls": '[{"type":"function","function":{"name":"f","arguments":{}}}]'}
OTHER_CALL = {"role": "assistant", "tool_calls": '[{"type":"function","function":{"name":"g","arguments":{}}}]'}


def test_rows_are_compared_whole(make_rows: Any) -> None:
    """Equal rows leave one; another answer, tool call, tool list, role, cut of turns or kind is another row."""
    rows = make_rows(
        {"messages": [Q, A]},
        {"messages": [Q, B]},
        {"messages": [("u", "查话费？ "), ("a", "好的请稍等")], "source": "other"},
        {"messages": [Q, CALL]},
        {"messages": [Q, OTHER_CALL]},
        {"messages": [Q, A], "tools": '[{"type":"function","function":{"name":"f"}}]'},
        {"messages": [("s", "查话费"), A]},
        {"messages": [("u", "查话费好的，请稍等。")]},
        {"kind": "text", "text": "查话费"},
        {"kind": "text", "text": "查话费！"},
    )
    assert verdicts(ExactDedup(), rows) == [(2, 0), (9, 8)]


def test_prompts(make_rows: Any) -> None:
    """On prompts the last answer does not count; a pair goes as a whole; kinds are never mixed."""
    pair = {"kind": "preference", "prompt": [Q], "chosen": [A], "rejected": [B]}
    rows = make_rows(
        {"messages": [Q, A]},
        {"messages": [Q, B]},
        {"messages": [Q, A, Q, B]},
        pair,
        {**pair, "chosen": [B], "rejected": [A]},
        {"kind": "kto", "prompt": [Q], "completion": [A], "label": True},
        {"kind": "kto", "prompt": [Q], "completion": [A], "label": False},
    )
    assert verdicts(ExactDedup(on="prompt"), rows) == [(1, 0), (4, 3), (6, 5)]
    assert verdicts(ExactDedup(), rows) == []


def test_answers(make_rows: Any) -> None:
    """On answers only the last answer counts; a chat without one is compared with nothing."""
    rows = make_rows({"messages": [Q, A]}, {"messages": [("u", "?"), A]}, {"messages": [Q]}, {"messages": [("u", "x")]})
    assert verdicts(ExactDedup(on="answer"), rows) == [(1, 0)]


def test_which_row_stays(make_rows: Any) -> None:
    """First, longest or by source; ties go to the first."""
    rows = make_rows(
        {"messages": [Q, A], "source": "b"},
        {"messages": [Q, B], "source": "c"},
        {"messages": [Q, B], "source": "a"},
        {"messages": [Q, A], "source": "z"},
    )
    assert verdicts(ExactDedup(on="prompt"), rows) == [(1, 0), (2, 0), (3, 0)]
    assert verdicts(ExactDedup(on="prompt", keep="longest"), rows) == [(0, 1), (2, 1), (3, 1)]
    by_source = ExactDedup(on="prompt", keep="source", sources=("a", "b"))
    assert verdicts(by_source, rows) == [(0, 2), (1, 2), (3, 2)]


def test_protected_rows_stay(make_rows: Any) -> None:
    """Protected rows are never dropped and win over all others."""
    records = [{"messages": [Q, A], "source": source} for source in "xyxy"]
    stage = ExactDedup(protect=Only(source=("y",)))
    assert verdicts(stage, make_rows(*records)) == [(0, 1), (2, 1)]


def test_sources_belong_to_keep_source() -> None:
    """`sources` without `keep: source`, or the reverse, is refused."""
    for parameters in ({"keep": "source"}, {"sources": ("a",)}):
        with pytest.raises(ValidationError, match="`sources` is needed with `keep: source`, and only then"):
            ExactDedup.model_validate(parameters)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab好 "), st.sampled_from("xyz")), max_size=12),
    st.sampled_from(["first", "longest"]),
)
def test_one_of_each_stays_in_any_order(make_rows: Any, drawn: Any, keep: Any) -> None:
    """Every set of equal rows keeps exactly one."""
    rows = make_rows(*({"messages": [("u", text), A], "source": source} for text, source in drawn))
    stage = ExactDedup(keep=keep, protect=Only(source=("z",)))
    found = verdicts(stage, rows)
    dropped = {row for row, _ in found}
    for text in {text for text, _ in drawn}:
        members = [i for i, (other, _) in enumerate(drawn) if other == text]
        shielded = [i for i in members if drawn[i][1] == "z"]
        kept = [i for i in members if i not in dropped]
        assert kept == shielded if shielded else len(kept) == 1


def test_the_sketch_is_small_and_reads_its_rows_only(make_rows: Any) -> None:
    """A frame's sketch is its halves' sketches; no rows give an empty one of the same schema."""
    rows = make_rows(*({"messages": [("u", str(i)), A]} for i in range(9)), {"kind": "text", "text": "x"})
    stage = ExactDedup()
    whole, *halves = (stage.sketch(ArrowRows.of(some), None).rows for some in (rows, rows[:4], rows[4:]))
    joined = pl.concat([halves[0], halves[1].with_columns(pl.col("row") + 4)])
    assert whole.equals(joined.cast(dict(whole.schema)))
    assert stage.sketch(ArrowRows.of(empty_rows()), None).rows.schema == whole.schema
    assert list(whole.schema) == ["row", "high", "low", "rank", "weight"]
