"""Each surrogate alone: derivatives, recovery of its own law, draws that agree with its deviations, JSON and back."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from tests.train.mixlaw.planted import mixes, run
from train.mixlaw import dmo, loglinear, power
from train.mixlaw.gp import EXACT_UP_TO, _evidence
from train.mixlaw.models import Name, fit_surrogate, load_surrogate

CURVES = {
    "loglinear": (loglinear, np.array([0.3, -0.8, 0.5, -2.0, 1.0])),
    "power": (power, np.array([-1.0, 2.0, -0.7, -2.0, 0.3, 0.5, -1.0, 0.2, 0.1, -0.2, 0.05])),
    "dmo": (dmo, np.array([1.0, -1.0, 2.0, -0.5, 0.4, -1.2])),
}


@pytest.mark.parametrize("name", CURVES)
def test_derivatives_are_those_of_the_curve(name: str) -> None:
    """The slopes that steer the fit equal finite differences, zero shares included."""
    law, theta = CURVES[name]
    shares = mixes(6, 3)
    assert (shares == 0).any()
    fixed = 1 if name == "dmo" else 0  # the number of the own domain is no parameter
    slopes = law.curve(theta, shares)[1]
    for row in range(len(shares)):
        measured = approx_fprime(theta, lambda t, row=row: law.curve(t, shares)[0][row], 1e-7)
        np.testing.assert_allclose(slopes[row, fixed:], measured[fixed:], atol=2e-5)


def test_derivatives_of_the_marginal_likelihood() -> None:
    """The slopes that tune the Gaussian process equal finite differences."""
    shares = mixes(12, 0)
    losses = run(shares, 0)[:, 0] - 2.5
    low, high = np.triu_indices(12, 1)
    squares = (np.sqrt(shares)[low] - np.sqrt(shares)[high]) ** 2
    tuned = np.array([-0.3, 0.2, -0.1, 0.4, 0.3, -4.0])
    measured = approx_fprime(tuned, lambda t: _evidence(t, squares, (low, high), losses)[0], 1e-7)
    np.testing.assert_allclose(_evidence(tuned, squares, (low, high), losses)[1], measured, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", CURVES)
def test_a_law_is_recovered_from_its_own_losses(name: str) -> None:
    """Forty noisy runs of a law give the law back on unseen mixes, within a few deviations of what it says itself."""
    law, theta = CURVES[name]
    shares, unseen = mixes(40, 1), mixes(200, 2)
    clean = law.curve(theta, shares)[0]
    spread = clean.std()
    noisy = (clean - clean.mean()) / spread + 0.02 * np.random.default_rng(0).standard_normal(40)
    fitted = fit_surrogate(name, shares, noisy)
    wanted = (law.curve(theta, unseen)[0] - clean.mean()) / spread
    mean, std = fitted.predict(unseen)
    assert fitted.noise == pytest.approx(0.02, rel=0.5)
    assert np.mean(np.abs(mean - wanted) < 3 * std + 0.005) > 0.95


def test_one_diverged_run_does_not_bend_a_law() -> None:
    """A loss far off moves the law on unseen mixes by less than a third of the noise-free range's tenth."""
    shares, unseen = mixes(40, 1), mixes(50, 2)
    losses = run(shares, 0)[:, 0]
    standard = (losses - losses.mean()) / losses.std()
    broken = standard.copy()
    broken[7] += 8.0
    straight = fit_surrogate("power", shares, standard).predict(unseen)[0]
    bent = fit_surrogate("power", shares, broken).predict(unseen)[0]
    assert np.median(np.abs(bent - straight)) < 0.1


@pytest.mark.parametrize("name", get_args(Name))
def test_draws_agree_with_deviations_and_states_come_back(name: str) -> None:
    """Draws have the mean and deviation that predict states, and a surrogate rebuilt from JSON predicts the same."""
    shares, unseen = mixes(60, 4), mixes(5, 5)
    losses = run(shares, 0)[:, 1]
    standard = (losses - losses.mean()) / losses.std()
    fitted = fit_surrogate(name, shares, standard)
    mean, std = fitted.predict(unseen)
    draws = fitted.draw(unseen, 4000, np.random.default_rng(0))
    assert draws.shape == (4000, 5)
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.01 + 0.15 * std.max())
    np.testing.assert_allclose(draws.std(0), std, rtol=0.3, atol=0.01)
    again = load_surrogate(name, fitted.state(), shares, standard)
    np.testing.assert_allclose(again.predict(unseen)[0], mean, atol=1e-6)


def test_draws_at_many_mixtures_agree_as_well() -> None:
    """Beyond the exact draws, random features give the posterior's deviations to a good part."""
    shares, unseen = mixes(60, 4), mixes(EXACT_UP_TO + 1, 5)
    losses = run(shares, 0)[:, 1]
    fitted = fit_surrogate("gp", shares, (losses - losses.mean()) / losses.std())
    mean, std = fitted.predict(unseen)
    draws = fitted.draw(unseen, 200, np.random.default_rng(0))
    assert np.median(np.abs(draws.mean(0) - mean)) < np.median(std)
    assert 0.7 < np.median(draws.std(0) / std) < 1.4


def test_known_noise_is_a_floor() -> None:
    """A noise measured from repeated runs is never undercut, however well a curve fits."""
    shares = mixes(30, 1)
    losses = run(shares, 0, noise=0.0)[:, 0]
    standard = (losses - losses.mean()) / losses.std()
    for name in ("ridge", "loglinear", "power", "gp"):
        assert fit_surrogate(name, shares, standard, 0.3).noise >= 0.3 * (1 - 1e-6)
