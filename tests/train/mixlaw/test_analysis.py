"""What draws say of the best mix, on draws small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from train.mixlaw.analysis import (
    credible_shares,
    divergence,
    expected_regret,
    indistinguishable_set,
    measured_draws,
    p_best,
    recommend,
)

DRAWS = np.array([[1.0, 2.0, 5.0], [2.0, 1.0, 5.0], [1.0, 3.0, 5.0], [1.0, 3.0, 5.0]])
MIXES = np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])


def test_by_hand() -> None:
    """Candidate 0 is best in three of four draws, 1 in one, 2 never; the tie goes to the one nearest the prior."""
    np.testing.assert_allclose(p_best(DRAWS), [0.75, 0.25, 0.0])
    np.testing.assert_allclose(expected_regret(DRAWS), [0.25, 1.25, 4.0 - 0.25 + 0.25])
    assert indistinguishable_set(DRAWS).tolist() == [True, True, False]
    assert indistinguishable_set(DRAWS, level=0.3).tolist() == [True, False, False]
    assert recommend(DRAWS, MIXES, np.array([0.5, 0.5])) == 1
    low, high = credible_shares(DRAWS, MIXES, coverage=1.0)
    np.testing.assert_allclose([low, high], [[0.5, 0.1], [0.9, 0.5]])


def test_candidates_that_are_alike_share_the_chance_to_be_best() -> None:
    """Without signal no candidate is preferred for its place in the list: every share stays credible."""
    alike = np.repeat(np.random.default_rng(0).standard_normal((50, 1)), 3, axis=1)
    np.testing.assert_allclose(p_best(alike), 1 / 3)
    low, high = credible_shares(alike, MIXES)
    np.testing.assert_allclose([low, high], [[0.1, 0.1], [0.9, 0.9]])
    assert recommend(alike, MIXES, np.array([0.2, 0.8])) == 2


def test_divergence_is_that_of_kullback_and_leibler() -> None:
    """Zero at the prior, log 2 for all of one of two equal halves."""
    np.testing.assert_allclose(divergence(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([3.0, 3.0])), [0.0, np.log(2)])


@given(arrays.arrays(np.float64, (7, 5), elements=st.floats(-5, 5)))
def test_laws_of_any_draws(draws: np.ndarray) -> None:
    """P(best) sums to one, regret is never negative, and the best in the mean is always in the set."""
    assert p_best(draws).sum() == pytest.approx(1.0)
    assert (expected_regret(draws) >= 0).all()
    assert indistinguishable_set(draws)[int(np.argmin(draws.mean(0)))]


def test_what_another_of_the_set_clearly_beats_is_not_recommended() -> None:
    """The best is uncertain, so all are as good as it is; yet candidate 1 is worse than 2 in every draw."""
    rng = np.random.default_rng(1)
    best, known = rng.normal(0.0, 1.0, 400), rng.normal(0.05, 0.01, 400)
    draws = np.stack([best, known + 0.1, known], axis=1)
    mixes = np.array([[0.9, 0.1], [0.5, 0.5], [0.3, 0.7]])
    prior = np.array([0.5, 0.5])
    assert indistinguishable_set(draws).all()
    assert recommend(draws, mixes, prior) == 2
    assert recommend(draws[:, :2], mixes[:2], prior) == 1
    assert recommend(draws[:, :2], mixes[:2], prior, rivals=known[:, None]) == 0
    assert recommend(draws, mixes, prior, rivals=known[:, None] - 0.01) == 0


@given(
    arrays.arrays(np.float64, (20, 4), elements=st.floats(-5, 5)),
    arrays.arrays(np.float64, (4,), elements=st.floats(0.1, 1)),
)
def test_the_recommended_is_in_the_set(draws: np.ndarray, prior: np.ndarray) -> None:
    """Whatever the draws, and it is as good as each of the set in more than the level, or the best in the mean."""
    chosen = recommend(draws, np.eye(4) * 0.7 + 0.075, prior)
    tied = indistinguishable_set(draws)
    assert tied[chosen]
    assert chosen == draws.mean(0).argmin() or (draws[:, [chosen]] <= draws[:, tied]).mean(0).min() > 0.05


def test_what_was_run_is_known_to_its_noise() -> None:
    """Draws lie around the means, closer where there were more runs, and wide where few seeds measured the noise."""
    draws = measured_draws(np.array([1.0, 2.0]), 0.1, 2, np.array([1, 4]), 20_000, 0)
    np.testing.assert_allclose(np.median(draws, axis=0), [1.0, 2.0], atol=0.01)
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    np.testing.assert_allclose(high - low, [2 * 2.920 * 0.1, 2.920 * 0.1], rtol=0.06)  # t of 2 degrees: 2.920 at 95 %
