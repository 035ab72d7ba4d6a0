"""Amounts of one group depend on no other, and levels of the published grid are nested."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import RecipeError
from curate.mixture import MixIndex, resolve
from curate.pool import PoolIndex
from tests.curate.index_maker import NAMES, chosen_of, index_of, rows_of, sized, spec_of

LEVELS = ("1/64", "1/32", "1/16", "1/8", "1/4", "1/2", 1)
indexes = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), min_size=8, max_size=90).map(
    lambda rows: index_of([k % 4 for k in range(4)] + [a for a, _ in rows], [40] * 4 + [t for _, t in rows])
)


def test_the_grid_of_yi_in_rows() -> None:
    """1 to 1/64 of a group's own data, with nothing shared out to others."""
    index = sized(640, 64)
    for level, rows in zip(LEVELS, (10, 20, 40, 80, 160, 320, 640), strict=True):
        assert rows_of(resolve(spec_of(unit="rows", amounts={"code": level, "math": 1}), index, 0)) == [rows, 64]


@given(index=indexes, seed=st.integers(0, 5))
@settings(max_examples=40)
def test_levels_are_prefixes_of_one_another(index: PoolIndex, seed: int) -> None:
    """The rows of 1/64 are among those of 1/32, and so on up to all."""
    ranked = MixIndex(index, seed)
    streams = [resolve(spec_of(amounts={"code": level, "*": 1}), ranked) for level in LEVELS]
    chosen = [chosen_of(mixture, index, 0) for mixture in streams]
    for smaller, larger in pairwise(chosen):
        assert larger[: len(smaller)] == smaller


@given(
    index=indexes, one=st.sampled_from(LEVELS), other=st.sampled_from(LEVELS), unit=st.sampled_from(["rows", "tokens"])
)
@settings(max_examples=60)
def test_one_amount_never_touches_another_group(index: PoolIndex, one: Any, other: Any, unit: str) -> None:
    """Changing one ability's amount leaves every other ability's rows as they are."""
    ranked = MixIndex(index, 1)
    mixtures = [resolve(spec_of(unit=unit, amounts={"code": level, "*": "1/2"}), ranked) for level in (one, other)]
    for ability in (1, 2, 3):
        first, second = (chosen_of(mixture, index, ability) for mixture in mixtures)
        assert first == second


def test_tokens_rows_and_epochs_say_how_much() -> None:
    """Each group gets its own number, in the unit of its rule."""
    index = index_of([0] * 10 + [1] * 10, [4] * 20)
    assert rows_of(resolve(spec_of(unit="tokens", tokens={"code": 8, "math": 20}), index, 0)) == [2, 5]
    assert rows_of(resolve(spec_of(tokens={"code": 8, "math": 20}), index, 0)) == [4, 10]
    assert rows_of(resolve(spec_of(unit="rows", rows={"code": 3, "*": 12}), index, 0)) == [3, 12]
    mixture = resolve(spec_of(epochs={"code": 2.5, "math": 0}), index, 0)
    assert rows_of(mixture) == [25, 0]
    assert [group.epochs for group in mixture.groups] == [2.5, 0]


def test_what_a_group_cannot_give_is_said() -> None:
    """Asked and possible stand side by side, and other groups keep theirs."""
    mixture = resolve(spec_of(unit="rows", rows={"code": 100, "math": 5}), sized(10, 10), 0)
    assert [(group.units_asked, group.units_possible, group.rows) for group in mixture.groups] == [
        (100, 40, 40),
        (5, 5, 5),
    ]
    assert mixture.notes == ("'code' gives 40 rows, not 100: it has 10 and max_epochs is 4",)


@given(index=indexes, cut=st.integers(1, 20), seed=st.integers(0, 3))
@settings(max_examples=40)
def test_new_rows_of_an_ability_do_not_rerank_the_old(index: PoolIndex, cut: int, seed: int) -> None:
    """With another source added to an ability, its earlier rows keep their order among themselves."""
    before = index.take(np.arange(len(index) - min(cut, len(index) - 1)))
    some, more = (resolve(spec_of(unit="rows"), rows, seed) for rows in (before, index))
    for ability in range(4):
        old = [row for row, _ in chosen_of(some, before, ability)]
        assert [row for row, _ in chosen_of(more, index, ability) if row < len(before)] == old


def test_many_mixtures_over_one_index_are_what_each_is_alone() -> None:
    """What is kept between mixtures of one index changes none of them."""
    index = index_of([k % 4 for k in range(300)], [3 + k % 17 for k in range(300)])
    ranked = MixIndex(index, 9)
    specs = [spec_of(weights=dict(zip(NAMES, w, strict=True))) for w in ((1, 1, 1, 1), (4, 1, 2, 1), (0, 1, 0, 1))]
    together = [resolve(spec, ranked).sha256 for spec in (*specs, *specs)]
    assert together == [resolve(spec, MixIndex(index, 9)).sha256 for spec in (*specs, *specs)]


def test_a_stream_does_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    """Two processes with other hash seeds resolve one and the same stream."""
    code = (
        "from tests.curate.index_maker import index_of, spec_of\nfrom curate.mixture import resolve\n"
        "index = index_of([k % 4 for k in range(200)], [1 + k % 13 for k in range(200)])\n"
        "print(resolve(spec_of(temperature={'T': 3}, budget=400), index, 4).sha256)"
    )
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", code]
    found = {
        subprocess.run(
            command, env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"amounts": {"cod": 1, "*": 1}}, "mix.amounts: no rows have ability 'cod'; did you mean 'code'?"),
        ({"amounts": {"code": 1}}, "ability 'math' has 5 rows and no number; give it one, or 0"),
        ({"epochs": {"service": 1, "*": 0}}, "mix.epochs: no ability with a number above 0 has rows left"),
    ],
)
def test_numbers_for_groups_that_are_not_there(fields: dict[str, Any], message: str) -> None:
    """The message names the group and what to write."""
    with pytest.raises(RecipeError) as caught:
        resolve(spec_of(**fields), sized(5, 5), 0)
    assert message in str(caught.value)
