"""The space of mixtures: how many there are, which are the same, which are allowed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.errors import TrainError
from curate.mixture import MixSpec
from train.grid.baselines import baselines
from train.grid.space import YI_LEVELS, Space

F = Fraction


def space(**changes: object) -> Space:
    """Returns a space over three abilities."""
    return Space.model_validate({"abilities": ["code", "math", "service"], **changes})


@pytest.mark.parametrize(("count", "amounts", "shares"), [(1, 7, 1), (2, 49, 13), (3, 343, 127), (4, 2401, 1105)])
def test_the_published_levels_give_the_published_numbers_of_mixtures(count: int, amounts: int, shares: int) -> None:
    """7^A read as amounts, 7^A - 6^A read as shares."""
    names = [f"a{n}" for n in range(count)]
    assert len(space(abilities=names, reading="amount").points()) == amounts
    assert len(space(abilities=names).points()) == shares


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([F(n, 12) for n in range(13)]), min_size=1, max_size=4, unique=True))
def test_shares_are_listed_once_and_nothing_is_missing(levels: list[Fraction]) -> None:
    """Any two points are different mixtures, and every combination of levels folds to one of them."""
    if not any(levels):
        return
    made = space(levels=levels)
    points = made.points()
    shares = {tuple(made.numbers(point).values()) for point in points}
    assert len(shares) == len(points) == len(set(points))
    every = [(a, b, c) for a in levels for b in levels for c in levels if a or b or c]
    assert {made.fold(point) for point in every} == set(points)
    assert all(sum(numbers) == 1 for numbers in shares)


def test_fixed_shares_stay_and_the_rest_is_shared_out() -> None:
    """A fixed ability keeps its share of the budget in every mixture."""
    made = space(fixed={"service": "1/5"})
    assert made.free == ("code", "math")
    assert len(made.points()) == 13
    assert made.numbers((F(1), F(1, 3))) == {"code": F(3, 5), "math": F(1, 5), "service": F(1, 5)}


def test_constraints_bound_sums_exactly() -> None:
    """A sum on the border is allowed; one that leaves nothing is an error."""
    made = space(constraints=[{"abilities": ["code", "math"], "at_least": 0.5, "at_most": "2/3"}])
    sums = [sum(list(made.numbers(point).values())[:2]) for point in made.points()]
    assert min(sums) >= F(1, 2)
    assert max(sums) == F(2, 3)
    with pytest.raises(TrainError, match="leave no mixture"):
        space(levels=[1], constraints=[{"abilities": ["code"], "at_least": 0.9}]).points()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"levels": [0]}, "levels are all 0"),
        ({"levels": ["half"]}, "'half' is no number"),
        ({"levels": [2]}, "less than or equal to 1"),
        ({"fixed": {"code": 0.5, "math": 0.5}}, "leave nothing to search"),
        ({"fixed": {"maths": 0.5}}, "no ability is named 'maths'; did you mean 'math'"),
        ({"abilities": ["a", "a"]}, "stands twice"),
    ],
)
def test_a_wrong_space_says_what_is_wrong(changes: dict[str, object], message: str) -> None:
    """Each mistake has its message."""
    with pytest.raises(ValidationError, match=message):
        space(**changes)


def test_a_grid_too_large_to_list_is_refused() -> None:
    """Seven levels of eight abilities are 5.8 million mixtures."""
    with pytest.raises(TrainError, match="5,764,801 mixtures"):
        space(abilities=[f"a{n}" for n in range(8)]).points()


def test_a_point_becomes_the_mix_of_a_recipe() -> None:
    """Shares are weights within the budget, amounts fractions without one."""
    shares = space().spec((F(1), F(1, 2), F(1, 2)), MixSpec(budget=1000))
    assert (shares.weights, shares.budget) == ({"code": 0.5, "math": 0.25, "service": 0.25}, 1000)
    amounts = space(reading="amount").spec((F(1), F(1, 2), F(1, 64)), MixSpec(unit="tokens"))
    assert (amounts.amounts, amounts.unit) == ({"code": 1.0, "math": 0.5, "service": 1 / 64}, "tokens")
    sizes = (100.0, 10.0, 64.0)
    rows = space(reading="amount").matrix([(F(1), F(1, 2), F(1, 64))], sizes)
    np.testing.assert_allclose(rows, [[100, 5, 1]])
    assert YI_LEVELS[-1] == F(1, 64)


def test_baselines_name_what_every_search_is_held_against() -> None:
    """Ratios stand where there are domain and general rows; within a budget they are shares of it."""
    found = baselines(("math", "service"), True, MixSpec(budget=1000))
    assert list(found) == ["equal", "proportional", "T=2", "1:5", "1:10", "only math", "only service"]
    assert all(spec.budget == 1000 for spec in found.values())
    assert found["1:5"].weights == {"domain": 1, "general": 5}
    assert baselines(("math", "service"), True, MixSpec())["1:10"].domain_to_general == "1:10"
    assert "1:5" not in baselines(("math", "service"), False, MixSpec())
