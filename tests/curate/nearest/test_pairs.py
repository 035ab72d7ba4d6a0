"""Similar pairs: exact cosines of whole numbers, checked against plain Python; cut blocks change nothing."""

from __future__ import annotations

from math import floor, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.nearest import MOST_PAIRS, Cell, pairs, similar_pairs
from curate.nearest.pairs import Found

numbers = st.lists(st.integers(-127, 127), min_size=3, max_size=3)


def expected(vectors: list[list[int]], salts: list[int], least: int) -> dict[tuple[int, int], int]:
    """Returns score by pair, computed one by one."""
    found = {}
    for b, mine in enumerate(vectors):
        for a, other in enumerate(vectors[:b]):
            lengths = sqrt(sum(x * x for x in mine)) * sqrt(sum(x * x for x in other))
            if salts[a] == salts[b] and lengths:
                score = floor(sum(x * y for x, y in zip(mine, other, strict=True)) / lengths * 10_000 + 0.5)
                if score >= least:
                    found[a, b] = score
    return found


def as_dict(found: Found) -> dict[tuple[int, int], int]:
    """Returns score by pair."""
    return dict(zip(zip(found.a.tolist(), found.b.tolist(), strict=True), found.score.tolist(), strict=True))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(numbers, st.integers(0, 1)), min_size=1, max_size=12), st.integers(50, 100))
def test_every_similar_pair_is_found_with_its_cosine(rows: list[tuple[list[int], int]], hundredths: int) -> None:
    """Over any vectors the pairs are those that plain arithmetic gives, rows with different salts apart."""
    vectors, salts = [r[0] for r in rows], [r[1] for r in rows]
    cell = Cell(np.array(vectors, np.int8), np.array(salts, np.int64))
    found = similar_pairs(cell, 0, len(cell), hundredths * 100, 1 << 20)
    wanted = expected(vectors, salts, hundredths * 100)
    got = as_dict(found)
    assert got.keys() == wanted.keys()
    assert all(abs(got[pair] - wanted[pair]) <= 1 for pair in wanted)
    assert found.left == 0


def crowd(rows: int) -> Cell:
    """Returns a cell of rows that are nearly alike."""
    made = np.random.default_rng(7).integers(-2, 3, (rows, 64)) + np.linspace(-90, 90, 64).round().astype(int)
    return Cell(made.astype(np.int8), np.zeros(rows, np.int64))


@pytest.mark.parametrize(("rows", "columns"), [(7, 5), (64, 300), (1000, 16)])
def test_blocks_and_strips_change_nothing(monkeypatch: pytest.MonkeyPatch, rows: int, columns: int) -> None:
    """However the products are cut into blocks and the rows into strips, the pairs are the same."""
    cell = crowd(200)
    whole = similar_pairs(cell, 0, 200, 9500, 1 << 20)
    monkeypatch.setattr(pairs, "_ROWS", rows)
    monkeypatch.setattr(pairs, "_COLUMNS", columns)
    strips = [similar_pairs(cell, at, min(at + 37, 200), 9500, 1 << 20) for at in range(0, 200, 37)]
    assert {k: v for strip in strips for k, v in as_dict(strip).items()} == as_dict(whole)
    assert sum(strip.left for strip in strips) == whole.left


def test_a_crowd_leaves_a_few_pairs_for_each_row() -> None:
    """Of rows all alike each is noted with the first ones; what is left out is counted, nothing is lost for the first."""
    cell = crowd(500)
    found = similar_pairs(cell, 0, 500, 9000, 1 << 20)
    levels = 11
    assert found.a.size <= 500 * MOST_PAIRS * levels
    assert found.a.size + found.left == 500 * 499 // 2
    got = as_dict(found)
    assert all((0, b) in got for b in range(1, 500))


def test_a_pair_of_a_higher_threshold_is_not_crowded_out() -> None:
    """A row noted with many that are just similar enough is noted with its twin among the last ones too."""
    base = np.full(64, 100, np.int8)
    vague = np.repeat(base[None, :], 60, axis=0)
    vague[:, :10] = -20
    vague[np.arange(60), np.arange(60)] += 7
    cell = Cell(np.concatenate([vague, base[None, :], base[None, :]]), np.zeros(62, np.int64))
    got = as_dict(similar_pairs(cell, 0, 62, 8000, 1 << 20))
    assert got[60, 61] == 10_000
    assert sum(b == 61 for _, b in got) == MOST_PAIRS + 1


def test_leaders_bound_the_work() -> None:
    """With a limit, rows are compared with the first ones alone."""
    got = as_dict(similar_pairs(crowd(100), 0, 100, 9000, 10))
    assert got
    assert all(a < 10 for a, _ in got)
