"""The law of an experiment with planted truth: intervals that cover, the optimum found, no signal where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curate.errors import TrainError
from tests.train.mixlaw.planted import lattice, mixes, run, truth
from train.mixlaw.analysis import credible_shares, indistinguishable_set, p_best
from train.mixlaw.fitting import fit
from train.mixlaw.law import Law

ROOT = Path(__file__).parents[3]


def covered(seeds: range, count: int) -> tuple[float, float, float, float]:
    """Returns how often intervals hold a new run, the true curve, the true best share and the true best mix."""
    grid = lattice(10)
    clean = truth(grid)[:, :1]
    best = int(np.argmin(clean[:, 0]))
    found = []
    for seed in seeds:
        shares = mixes(count, seed)
        law = fit(shares, run(shares, seed)[:, :1], seed=seed)
        new, predicted = run(grid, 10_000 + seed)[:, :1], law.predict(grid)
        draws = law.sample(grid, 200, seed)
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        least, most = credible_shares(draws[:, :, 0], grid)
        found.append(
            (
                np.mean((new > predicted.lower) & (new < predicted.upper)),
                np.mean((clean > low) & (clean < high)),
                np.mean((grid[best] >= least - 1e-9) & (grid[best] <= most + 1e-9)),
                indistinguishable_set(draws[:, :, 0])[best],
            )
        )
    new_run, curve, share, member = np.mean(found, axis=0)
    return float(new_run), float(curve), float(share), float(member)


def test_intervals_cover_what_they_say() -> None:
    """90 % intervals hold about 90 % of new runs and of the true curve; the true best mix is not ruled out."""
    new_run, curve, share, member = covered(range(8), 20)
    assert 0.82 <= new_run <= 0.97
    assert 0.75 <= curve <= 1.0
    assert share >= 0.8
    assert member >= 0.8


@pytest.mark.slow
def test_intervals_cover_over_a_hundred_seeds() -> None:
    """The same over 100 experiments, within what 100 can tell."""
    new_run, curve, share, member = covered(range(100), 20)
    assert 0.86 <= new_run <= 0.94
    assert 0.82 <= curve <= 0.97
    assert share >= 0.88
    assert member >= 0.92


def test_the_optimum_of_three_abilities_is_found() -> None:
    """A quarter of the lattice's runs give a mix within half a percent of the best, and most of P(best) is near it."""
    grid = lattice(10)
    shares = mixes(len(grid) // 4, 11)
    law = fit(shares, run(shares, 11))
    weights = 1 / truth(grid).mean(0)
    wanted = truth(grid) @ weights
    chosen = int(np.argmin(law.predict(grid).mean @ weights))
    assert wanted[chosen] <= 1.005 * wanted.min()
    chance = p_best(law.sample(grid, 200) @ weights)
    near = np.abs(grid - grid[int(np.argmin(wanted))]).max(1) <= 0.21
    assert chance[near].sum() > 0.8


def test_shuffled_losses_end_in_no_signal() -> None:
    """Losses shuffled between mixes are not explained: the mean is predicted, and intervals are those of the losses."""
    false = 0
    for seed in range(8):
        shares = mixes(24, seed)
        shuffled = np.random.default_rng(seed).permutation(run(shares, seed)[:, :1])
        law = fit(shares, shuffled, seed=seed)
        false += law.targets[0].has_signal
        if not law.targets[0].has_signal:
            found = law.predict(mixes(10, 99))
            np.testing.assert_allclose(found.mean, shuffled.mean())
            assert np.mean((shuffled > found.lower[0]) & (shuffled < found.upper[0])) > 0.8
    assert false <= 1


def test_losses_that_differ_less_than_repeated_runs_have_no_signal() -> None:
    """A noise floor above the spread of all losses is fitted, not refused."""
    shares = mixes(12, 0)
    losses = 2.0 + 1e-3 * np.random.default_rng(1).standard_normal((12, 1))
    law = fit(shares, losses, np.array([0.1]))
    assert not law.targets[0].has_signal


def test_real_losses_have_signal_and_ridge_is_beaten() -> None:
    """Unshuffled, the same losses have signal, and what is chosen errs less than the floor."""
    shares = mixes(24, 3)
    target = fit(shares, run(shares, 3)[:, :1]).targets[0]
    assert target.has_signal
    lines = {line.name: line for line in target.evidence}
    assert min(line.error for line in lines.values() if line.weight) < lines["ridge"].error
    assert sum(line.weight for line in lines.values()) == pytest.approx(1.0)


def test_amounts_are_told_from_shares_and_get_the_dmo_law() -> None:
    """Rows of different totals are amounts: the law of DMO-SFT is tried, and more tokens of one mix mean less loss."""
    random = np.random.default_rng(0)
    amounts = mixes(30, 1) * random.choice([1e5, 3e5, 1e6], 30)[:, None]
    losses = 1.0 + 3.0 * (amounts[:, 0] + 0.5 * (amounts.sum(1) - amounts[:, 0]) ** 0.6 + 1) ** -0.15
    law = fit(amounts, losses[:, None] + 0.002 * random.standard_normal((30, 1)))
    assert law.space.unit == pytest.approx(amounts.sum(1).mean())
    assert "dmo" in [line.name for line in law.targets[0].evidence]
    twice = law.predict(np.array([[1e5, 1e5, 1e5], [3e5, 3e5, 3e5]])).mean[:, 0]
    assert twice[1] < twice[0]


def test_a_metric_that_rises_is_fitted_as_well() -> None:
    """Accuracies are targets too: the sign of the law is fitted."""
    shares, unseen = mixes(40, 5), mixes(40, 6)
    law = fit(shares, 1 - 0.2 * run(shares, 5)[:, :1], model="power")
    assert np.corrcoef(law.predict(unseen).mean[:, 0], -truth(unseen)[:, 0])[0, 1] > 0.98


def test_missing_losses_are_left_out_for_their_target_only() -> None:
    """A run without one loss (or with an infinite one) still serves the other targets."""
    shares = mixes(20, 0)
    losses = run(shares, 0)[:, :2]
    losses[3, 0], losses[5, 0] = np.nan, np.inf
    law = fit(shares, losses, model="ridge")
    assert [len(target.rows) for target in law.targets] == [18, 20]
    assert Law.from_json(law.to_json()).to_json() == law.to_json()


def test_the_same_experiment_gives_the_same_bytes() -> None:
    """law.json is reproducible to the byte, in other processes and under other hash seeds; a law read back predicts alike."""
    code = (
        "import sys; from tests.train.mixlaw.planted import mixes, run; from train.mixlaw.fitting import fit\n"
        "shares = mixes(18, 0); sys.stdout.buffer.write(fit(shares, run(shares, 0)[:, :1]).to_json())"
    )
    written = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=_environment(seed), capture_output=True, check=True)
        for seed in ("1", "2")
    ]
    assert written[0].stdout == written[1].stdout
    law, unseen = Law.from_json(written[0].stdout), mixes(7, 1)
    shares = mixes(18, 0)
    np.testing.assert_array_equal(fit(shares, run(shares, 0)[:, :1]).predict(unseen).mean, law.predict(unseen).mean)


def _environment(seed: str) -> dict[str, str]:
    return {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    ("mixtures", "losses", "model", "said"),
    [
        (np.full((6, 3), np.nan), np.ones((6, 1)), "auto", "mixture 1, column 1 is nan"),
        (np.zeros((6, 3)), np.ones((6, 1)), "auto", "mixture 1 is empty"),
        (mixes(6, 0), np.ones((5, 1)), "auto", "one row for each of 6 mixtures"),
        (mixes(4, 0), np.ones((4, 1)), "auto", "4 different mixtures with a loss; at least 5"),
        (mixes(6, 0), np.ones((6, 1)), "gpp", "unknown model 'gpp'; did you mean 'gp'?"),
    ],
)
def test_what_cannot_be_fitted_is_said(mixtures: np.ndarray, losses: np.ndarray, model: str, said: str) -> None:
    """Each refusal names the place and what is needed."""
    with pytest.raises(TrainError) as caught:
        fit(mixtures, losses, model=model)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_a_law_of_shares_refuses_amounts_and_a_damaged_file() -> None:
    """A law of shares says so when totals vary, and a file that is no law is told apart."""
    shares = mixes(8, 0)
    law = fit(shares, run(shares, 0)[:, :1], model="ridge")
    with pytest.raises(TrainError, match="fitted to shares, but these rows sum to 1 up to 2"):
        law.predict(np.array([[1.0, 0, 0], [1.0, 1.0, 0]]))
    with pytest.raises(TrainError, match="not a mixture law"):
        Law.from_json(b"{}")
