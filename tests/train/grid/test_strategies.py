"""Strategies on a planted law: they find its optimum, with few trials, and always in the same way."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from curate.errors import TrainError
from tests.train.grid.planted import ABILITIES, best_of_grid, make_study, recommended, search
from train.grid.regret import expected_gain, next_trials
from train.grid.space import Space
from train.grid.strategies import Adaptive, Finished, Full, Halving, Random, Sobol, Strategy, Sweep, Trial
from train.grid.strategies.sampled import spread
from train.grid.strategies.study import standing

SHARES = Space(abilities=ABILITIES)
AMOUNTS = Space(abilities=ABILITIES, reading="amount")


def count(rounds: list[list[object]]) -> int:
    """Returns the trials of all rounds."""
    return sum(map(len, rounds))


@pytest.mark.parametrize("strategy", [Sweep(), Adaptive(trials=31)], ids=lambda s: s.name)
def test_the_optimum_of_shares_is_found_with_a_quarter_of_the_grid(strategy: Strategy) -> None:
    """127 mixtures, at most 31 trials, no noise: the very best mixture is run and recommended."""
    study = make_study(SHARES)
    rounds = search(strategy, study)
    best, value, true = best_of_grid(study)
    assert count(rounds) <= 127 // 4
    assert true(recommended(study, rounds)) == pytest.approx(value, rel=2e-3)
    if strategy.name == "adaptive":
        assert recommended(study, rounds) == best


def test_a_sweep_of_amounts_finds_the_optimum_in_one_pass() -> None:
    """Where amounts are separable and free, all data is best, and 19 of 343 runs show it."""
    study = make_study(AMOUNTS)
    rounds = search(Sweep(passes=1), study)
    assert count(rounds) == 19
    assert recommended(study, rounds) == (1, 1, 1)


@pytest.mark.parametrize("strategy", [Sweep(), Adaptive(trials=31)], ids=lambda s: s.name)
def test_noisy_searches_end_near_the_optimum(strategy: Strategy) -> None:
    """Over twenty seeds of runs with noise, the mean regret stays within the noise of one run."""
    study = make_study(SHARES, noise=0.01 / np.sqrt(3))
    _, value, true = best_of_grid(study)
    found = [recommended(study, search(strategy, study, noise=0.01, seed=seed)) for seed in range(20)]
    assert np.mean([true(point) - value for point in found]) < 0.01


def test_adaptive_beats_random_at_equal_cost() -> None:
    """With 16 trials, mean regret of the mixture of least loss is lower than of random search."""
    study = make_study(SHARES)
    _, value, true = best_of_grid(study)
    adaptive = true(recommended(study, search(Adaptive(trials=16), study))) - value
    drawn = [true(recommended(s, search(Random(trials=16), s))) - value for s in map(_seeded, range(20))]
    assert adaptive < np.mean(drawn)


def test_a_sweep_stops_at_its_trials() -> None:
    """The pass under way is cut, in its order."""
    study = make_study(SHARES)
    whole, cut = (search(strategy, study) for strategy in (Sweep(), Sweep(trials=10)))
    assert count(cut) == 10
    assert [f for finished in cut for f in finished] == [f for finished in whole for f in finished][:10]


def test_short_runs_stand_where_the_mixtures_run_longer_say() -> None:
    """Of each mixture the longest run, moved by the mean change of those run at both lengths, rung by rung."""

    def run(level: int, rung: Fraction, *losses: float) -> Finished:
        return Finished(Trial((Fraction(1, level),), rung), (1 / level,), losses)

    short = [run(level, Fraction(1, 4), 4.0 + level, 1.0) for level in (1, 2, 3, 4)]
    middle = [run(1, Fraction(1, 2), 4.0, 1.5), run(2, Fraction(1, 2), 4.0, 1.5)]
    whole = [run(2, Fraction(1), 3.0, 2.0)]
    at_half = {f.trial.point[0].denominator: f.losses for f in standing([short, middle], Fraction(1, 2))}
    assert at_half == {1: (4.0, 1.5), 2: (4.0, 1.5), 3: (5.5, 1.5), 4: (6.5, 1.5)}
    at_end = {f.trial.point[0].denominator: f.losses for f in standing([short, middle, whole])}
    assert at_end == {1: (3.0, 2.0), 2: (3.0, 2.0), 3: (4.5, 2.0), 4: (5.5, 2.0)}
    assert standing([short]) == []


def _seeded(seed: int):  # noqa: ANN202 — a study of planted.py
    return make_study(SHARES, seed=seed)


def test_halving_spends_on_what_promises() -> None:
    """27 short runs, 9 of a third, 3 whole ones; the best of them is near the optimum."""
    study = make_study(SHARES)
    rounds = search(Halving(trials=27), study)
    assert [(len(r), r[0].trial.rung) for r in rounds] == [(27, Fraction(1, 9)), (9, Fraction(1, 3)), (3, 1)]
    _, value, true = best_of_grid(study)
    first = [true(f.trial.point) for f in rounds[0]]
    assert true(recommended(study, rounds)) == pytest.approx(min(first))
    assert min(first) < value * 1.05


@pytest.mark.parametrize(
    "strategy",
    [Full(), Sweep(), Sobol(trials=20), Random(trials=20), Halving(trials=9), Adaptive(trials=20)],
    ids=lambda s: s.name,
)
def test_a_search_is_a_function_of_its_results(strategy: Strategy) -> None:
    """Asked again with the same rounds a strategy proposes the same; no trial comes twice at one rung."""
    study = make_study(SHARES)
    rounds = search(strategy, study)
    for done in range(len(rounds) + 1):
        expected = tuple(f.trial for f in rounds[done]) if done < len(rounds) else ()
        assert strategy.propose(study, rounds[:done]) == expected
    trials = [f.trial for finished in rounds for f in finished]
    assert len(trials) == len(set(trials))


def test_spread_gives_the_number_asked_for_whatever_is_allowed() -> None:
    """Also where constraints refuse most of a Sobol sequence, and all where the grid has no more."""
    tight = Space.model_validate({"abilities": ABILITIES, "constraints": [{"abilities": ["code"], "at_least": 0.9}]})
    allowed = len(tight.points())
    assert allowed < 30
    assert len(set(spread(tight, allowed - 1, 3))) == allowed - 1
    assert spread(tight, 500, 3) == tight.points()
    assert len(set(spread(SHARES, 40, 3))) == 40


def test_a_sweep_keeps_to_constraints_and_names_a_wrong_centre() -> None:
    """Forbidden levels are never run."""
    tight = Space.model_validate({"abilities": ABILITIES, "constraints": [{"abilities": ["code"], "at_most": 0.4}]})
    trials = [f.trial.point for finished in search(Sweep(), make_study(tight)) for f in finished]
    assert trials
    assert all(tight.allows(point) for point in trials)
    with pytest.raises(TrainError, match="no free ability is named 'maths'; did you mean 'math'"):
        Sweep.model_validate({"centre": {"maths": 1}}).propose(make_study(SHARES), [])


def test_the_expected_gain_is_that_of_two_arms_in_closed_form() -> None:
    """For two means the gain is s·φ(d/s) − d·Φ(−d/s) with d their distance and s how far a run moves it."""
    gap, move = 0.3, 0.5
    exact = move * np.exp(-0.5 * (gap / move) ** 2) / np.sqrt(2 * np.pi) - gap * 0.27425311775007355
    (gain,) = expected_gain(np.array([0.0, gap]), np.array([[0.0, move]]))
    assert gain == pytest.approx(exact, abs=4e-3)


def test_the_next_trials_are_where_a_run_may_change_the_mind() -> None:
    """A sure candidate and a hopeless one gain nothing; a second look at correlated ones gains less than at another."""
    random = np.random.default_rng(5).standard_normal((4000, 3))
    draws = np.stack([np.zeros(4000), 0.1 + random[:, 0], 0.1 + random[:, 0], 0.15 + random[:, 1], 9 + random[:, 2]], 1)
    chosen = next_trials(draws, 0.1, 3, range(5))
    assert {chosen[0][0], chosen[1][0]} == {1, 3}
    assert chosen[0][1] >= chosen[1][1] > chosen[2][1] >= 0
    assert [place for place, _ in next_trials(draws, 0.1, 9, [0, 4])] in ([0, 4], [4, 0])
