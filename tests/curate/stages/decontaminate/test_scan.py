"""The scan beside a slow and plain account of the same: shares covered, whole questions, similarity."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from curate.stages.decontaminate.benchmark import Item
from curate.stages.decontaminate.index import Index, build_index
from curate.stages.decontaminate.items import Benchmarks
from curate.stages.decontaminate.scan import COVERED, FIELDS, WHOLE, scan
from curate.stages.decontaminate.similarity import merged, summary, tally
from curate.stages.decontaminate.units import packed

N, FEWEST = 3, 4
TEXTS = st.lists(st.sampled_from(["ab", "cd", "ef", "gh", "你", "好", "吗"]), min_size=1, max_size=14)
QUESTIONS = st.lists(TEXTS, min_size=1, max_size=4)


def index(questions: list[str], common: int = 99) -> Index:
    """Returns the index of questions of one set."""
    items = tuple(Item("set", n + 1, "set.jsonl", n + 1, "", (q,), (), ()) for n, q in enumerate(questions))
    return build_index(Benchmarks(("set",), items, 0), N, FEWEST, common)


def scanned(made: Index, rows: list[str]) -> tuple[pl.DataFrame, list[int]]:
    """Returns the candidates of rows, of any coverage, and the most short grams of each part."""
    data, offsets, kinds = packed(pl.Series(rows, dtype=pl.String))
    found, best = scan(made, data, offsets, kinds, 2 * N, np.ones(made.sizes.item.size, np.int64))
    return pl.DataFrame(found, schema=list(FIELDS)), best.tolist()


def weight(unit: str) -> int:
    """Returns what a unit weighs."""
    return 2 if unit.isascii() else 1


def grams(units: list[str], size: int) -> list[tuple[int, int, tuple[str, ...]]]:
    """Returns the n-grams of at least ``size``: first unit, unit after the last, units."""
    found = []
    for start in range(len(units)):
        end, held = start, 0
        while end < len(units) and held < size:
            held += weight(units[end])
            end += 1
        if held >= size:
            found.append((start, end, tuple(units[start:end])))
    return found


def covered(question: list[str], row: list[str]) -> int:
    """Returns the weight of a question in n-grams the row holds, each n-gram at its first place in the question."""
    held = {gram for _, _, gram in grams(row, 2 * N)}
    seen: set[tuple[str, ...]] = set()
    units: set[int] = set()
    for start, end, gram in grams(question, 2 * N):
        if gram in held and gram not in seen:
            units |= set(range(start, end))
        seen.add(gram)
    return sum(weight(question[u]) for u in units)


@given(questions=QUESTIONS, rows=st.lists(TEXTS, max_size=4))
@settings(max_examples=150, deadline=None)
def test_coverage_is_what_a_plain_count_gives(questions: list[list[str]], rows: list[list[str]]) -> None:
    """For any texts the scan covers of each question what sets of n-grams say, row by row."""
    made = index([" ".join(q) for q in questions])
    found, _ = scanned(made, [" ".join(r) for r in rows])
    shares = {
        (a, b): v for a, b, v in found.filter(pl.col("kind") == COVERED).select("text", "part", "value").iter_rows()
    }
    distinct = [[*item.questions[0].split()] for item in made.items]
    wanted = {(r, q): covered(question, row) for r, row in enumerate(rows) for q, question in enumerate(distinct)}
    assert shares == {at: value for at, value in wanted.items() if value}


@given(questions=QUESTIONS, rows=st.lists(TEXTS, max_size=4))
@settings(max_examples=150, deadline=None)
def test_short_questions_are_found_wherever_they_stand(questions: list[list[str]], rows: list[list[str]]) -> None:
    """A question under the least evidence is found in a row exactly when its units stand there in order."""
    made = index([" ".join(q) for q in questions])
    found, _ = scanned(made, [" ".join(r) for r in rows])
    whole = set(found.filter(pl.col("kind") == WHOLE).select("text", "part").iter_rows())
    distinct = [[*item.questions[0].split()] for item in made.items]
    fits = [3 <= sum(map(weight, q)) < 2 * FEWEST for q in distinct]

    def holds(row: list[str], question: list[str]) -> bool:
        return any(row[i : i + len(question)] == question for i in range(len(row)))

    assert whole == {
        (r, q) for r, row in enumerate(rows) for q, text in enumerate(distinct) if fits[q] and holds(row, text)
    }


def test_common_grams_are_not_counted() -> None:
    """An n-gram in more than ``common`` items has no postings; an item left without any has nothing of its own."""
    same = "one two three four five six"
    made = index([f"{same} {n}" for n in "abc"], common=2)
    assert made.long.own.tolist() == [6, 6, 6]
    assert index([f"{same} {n}" for n in "abc"], common=3).long.own.tolist() == [14, 14, 14]


def test_items_that_say_the_same_count_once() -> None:
    """A repeated item does not make its own words common."""
    made = index(["red green blue white black"] * 5, common=1)
    assert len(made.items) == 1
    assert made.long.own.tolist() == [10]


def test_similarity_needs_words_close_together() -> None:
    """Words of an item scattered over a long text are no resemblance; a window of the item's length counts."""
    question = "which of our seven lakes freezes first in a cold winter"
    made = index([question])
    words = question.split()
    scattered = " ".join(f"{a} {b} " + "filler words go here " * 20 for a, b in pairwise(words))
    _, best = scanned(made, [scattered])
    assert best == [1]
    _, best = scanned(made, ["filler " * 33 + question + " filler" * 50])
    assert best == [10]


def test_tallies_merge_in_any_order() -> None:
    """The figures of parts merge to those of the whole, however the rows are cut."""
    made = index(["which lake freezes first in winter here", "who has painted the oldest door of the town hall"])
    rows = ["which lake freezes late", "who has painted the oldest door", "which lake freezes first in winter", "no"]
    nothing = pl.DataFrame(schema={"part": pl.Int64, "score": pl.Float64})
    tallies = [tally(made, np.array(scanned(made, [row])[1]), nothing) for row in rows]
    whole = tally(made, np.array(scanned(made, rows)[1]), nothing)
    assert_frame_equal(merged(tallies), whole)
    assert_frame_equal(merged(reversed(tallies)), whole)
    figures = summary(made, tallies)["sets"]["set"]
    assert (figures["items"], figures["measured"], figures["similarity_above_half"]) == (2, 2, 1.0)
    assert figures["similarity_mean"] == round((0.8333 + 0.5556) / 2, 4)
    assert figures["similarity_p95"] == round(5 / 6, 4)
