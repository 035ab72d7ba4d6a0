"""Proposals against solutions known from elsewhere: olmix's convex problem and DMO-SFT's published law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import TrainError
from train.mixlaw.optimum import cap_shares, propose

SLOPES = np.array([[-2.0, 0.3, 0.1], [0.2, -1.5, 0.0], [0.1, 0.4, -1.0]])
PRIOR = np.array([0.6, 0.3, 0.1])
NO_CAPS = np.ones(3)
TRIED = np.eye(3)


@pytest.mark.parametrize(
    ("pull", "shares"),
    [
        (0.0, (0.413748, 0.210923, 0.375328)),
        (0.05, (0.465776, 0.251820, 0.282404)),
        (0.5, (0.566062, 0.298834, 0.135104)),
    ],
)
def test_the_exact_proposal_of_a_log_linear_law(pull: float, shares: tuple[float, ...]) -> None:
    """The mean of exp(t . x) plus the KL pull has its least value where an exact solver puts it."""
    found = propose(lambda x: np.exp(x @ SLOPES.T).mean(1), PRIOR, NO_CAPS, pull, TRIED)
    np.testing.assert_allclose(found, shares, atol=2e-4)


@pytest.mark.parametrize(
    ("total", "least", "shares"),
    [(1e4, 2.705228, (0.4580, 0.3472, 0.1948)), (1e6, 2.191337, (0.4291, 0.4437, 0.1272))],
)
def test_the_best_shares_of_dmo_sft_depend_on_the_budget(total: float, least: float, shares: tuple[float, ...]) -> None:
    """Three published-form laws have their known optimum at two budgets."""
    height, scale = np.array([2.0, 1.5, 1.0]), np.array([0.5, 1.0, 0.2])
    exponent, decay = np.array([0.6, 0.7, 0.5]), np.array([0.2, 0.15, 0.3])

    def loss(x: np.ndarray) -> np.ndarray:
        own = x * total
        worth = own + scale * np.maximum(total - own, 1e-9) ** exponent
        return np.asarray((height * worth**-decay).sum(1) + 1.8)

    found = propose(loss, np.full(3, 1 / 3), NO_CAPS, 0.0, TRIED)
    np.testing.assert_allclose(found, shares, atol=2e-3)
    assert loss(found[None])[0] == pytest.approx(least, abs=2e-6)


def test_caps_hold_and_too_tight_ones_are_refused() -> None:
    """A cap that binds is kept exactly, one of 0 leaves a domain out, and caps under one in sum leave no mixture."""
    caps = np.array([0.2, 1.0, 1.0])
    found = propose(lambda x: np.exp(x @ SLOPES.T).mean(1), PRIOR, caps, 0.0, TRIED)
    assert found[0] == pytest.approx(0.2, abs=1e-6)
    assert found.sum() == pytest.approx(1.0)
    assert propose(lambda x: np.exp(x @ SLOPES.T).mean(1), PRIOR, np.array([0.0, 1.0, 1.0]), 0.0, TRIED)[0] == 0.0
    with pytest.raises(TrainError, match=r"the caps sum to 0\.6"):
        propose(lambda x: x[:, 0], PRIOR, np.full(3, 0.2), 0.0, TRIED)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4).filter(lambda s: sum(s) > 0.1),
    st.lists(st.floats(0.25, 1.0), min_size=4, max_size=4),
)
def test_cut_shares_stay_shares(shares: list[float], caps: list[float]) -> None:
    """Shares cut at caps sum to one and exceed no cap."""
    found = cap_shares(np.array([shares]) / sum(shares), np.array(caps))[0]
    assert found.sum() == pytest.approx(1.0)
    assert (found <= np.array(caps) + 1e-9).all()
