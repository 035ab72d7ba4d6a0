"""A whole search over a synthetic law, as `train grid` runs one: noise floor, baselines, rounds, and what is said at the end.

Nothing is trained; strategies, surrogates and the analysis of draws are the real ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tests.train.grid.laws import ABILITIES, BASE, PlantedLaw
from train.grid.objective import Objective
from train.grid.space import Point, Space
from train.grid.strategies import Finished, Strategy, Study, Trial
from train.grid.strategies.study import standing
from train.mixlaw.analysis import (
    credible_shares,
    expected_regret,
    indistinguishable_set,
    measured_draws,
    p_best,
    recommend,
)
from train.mixlaw.fitting import fit
from train.mixlaw.law import Law

Array = NDArray[np.float64]

SHARES = Space(abilities=ABILITIES)
SIZES = np.array([0.2, 0.1, 0.7])
"""What each ability's data holds of all; service is the domain."""
NOISE_SEEDS = 3
DRAWS = 1000


def baseline_shares(sizes: Array = SIZES) -> dict[str, Array]:
    """Returns the shares of the baselines of every search."""
    found = {"equal": np.ones(3), "proportional": sizes, "T=2": np.sqrt(sizes)}
    for general in (5, 10):
        found[f"1:{general}"] = np.array([*(general * sizes[:2] / sizes[:2].sum()), 1.0])
    found |= {f"only {name}": row for name, row in zip(ABILITIES, np.eye(3), strict=True)}
    return {name: shares / shares.sum() for name, shares in found.items()}


@dataclass(frozen=True)
class Simulated:
    """One search of a law, with a seed."""

    law: PlantedLaw
    strategy: Strategy
    seed: int
    space: Space = SHARES

    def value(self, losses: Array) -> Array:
        """Returns the objective of losses: their weighted mean relative change."""
        weights = dict(zip(ABILITIES, self.law.weights, strict=True))
        return Objective(weights=weights).value(losses, BASE, ABILITIES)

    def matrix(self, points: Sequence[Point]) -> Array:
        """Returns the shares of points."""
        return self.space.matrix(points, SIZES.tolist())

    @cached_property
    def repeats(self) -> Array:
        """Losses [3, 3] of the seeds of the equal mix."""
        share = np.full(3, 1 / 3)
        return np.array([self.law.run(share, NOISE_SEEDS * self.seed + n) for n in range(NOISE_SEEDS)])

    @cached_property
    def known(self) -> tuple[Finished, ...]:
        """The baselines."""
        shares = baseline_shares()
        losses = {n: self.law.run(s, 10_000 + self.seed) for n, s in shares.items()}
        losses["equal"] = self.repeats.mean(axis=0)
        return tuple(Finished(Trial(()), tuple(s.tolist()), tuple(losses[n].tolist())) for n, s in shares.items())

    def learn(self, mixtures: Array, losses: Array) -> Law:
        """Fits the law as a search does."""
        floor = np.std(self.repeats, axis=0, ddof=1)
        return fit(mixtures, losses, np.asarray(floor), domains=ABILITIES, targets=ABILITIES)

    @cached_property
    def study(self) -> Study:
        """What the strategy sees."""
        noise = float(np.std(self.value(self.repeats), ddof=1))
        return Study(self.space, self.matrix, self.value, self.learn, noise, self.known, self.seed)

    @cached_property
    def rounds(self) -> list[list[Finished]]:
        """The finished rounds of the strategy."""
        rounds: list[list[Finished]] = []
        while trials := self.strategy.propose(self.study, rounds):
            rounds.append([self._run(trial) for trial in trials])
        return rounds

    def _run(self, trial: Trial) -> Finished:
        (share,) = self.matrix([trial.point])
        losses = self.law.run(share, 20_000 + self.seed, float(trial.rung))
        return Finished(trial, tuple(share.tolist()), tuple(losses.tolist()))

    @property
    def trials(self) -> float:
        """Trials of the strategy, in runs of full length."""
        return float(sum(f.trial.rung for finished in self.rounds for f in finished))

    @property
    def runs(self) -> float:
        """Every run there was, noise floor and baselines among them."""
        return self.trials + len(self.known) - 1 + NOISE_SEEDS

    @cached_property
    def observed(self) -> tuple[Array, Array]:
        """Mixtures and losses of every run, the shorter ones as they would stand at full length."""
        full = [*self.known, *standing(self.rounds)]
        return np.array([f.mixture for f in full]), np.array([f.losses for f in full])

    @cached_property
    def fitted(self) -> Law:
        """The law of all of them."""
        return self.learn(*self.observed)

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The mixtures of the space."""
        return self.space.points()

    @cached_property
    def draws(self) -> Array:
        """Draws of the objective at every mixture of the space."""
        return self.value(self.fitted.sample(self.matrix(self.points), DRAWS, self.seed))

    @cached_property
    def baselines(self) -> Array:
        """Draws of the objective at the baselines, by their own runs."""
        values = np.array([float(self.value(np.array(f.losses))) for f in self.known])
        runs = np.where(np.arange(len(values)) == 0, NOISE_SEEDS, 1)
        return measured_draws(values, self.study.noise, NOISE_SEEDS - 1, runs, DRAWS, self.seed)

    @cached_property
    def true(self) -> Array:
        """The true objective at every mixture of the space."""
        return self.value(self.law.losses(self.matrix(self.points)))


@dataclass(frozen=True)
class Outcome:
    """What a search said, held against the truth; objectives are relative loss changes."""

    trials: float
    """Runs of the strategy, in full lengths."""
    runs: float
    """All runs, with noise floor and baselines."""
    regret: float
    """What the recommended mixture truly loses against the best of the grid."""
    stated: float
    """What the search said it would lose."""
    gap: float
    """What the equal mix truly loses."""
    shares: float
    """Portion of abilities whose 90 % interval of the best share holds the true one."""
    mass: float
    """Chance that the draws give those intervals."""
    width: float
    """Mean width of the intervals."""
    member: bool
    """The true best is among the mixtures not told from the best."""
    tied: int
    """How many are."""
    loss: bool
    """The 90 % interval of the recommended mixture's objective holds its true value."""
    curve: float
    """Portion of all mixtures whose interval holds their true value."""
    chance: float
    """P(best) of the likeliest mixture."""
    found: bool
    """That mixture is the true best."""
    signal: int
    """Abilities with a signal."""


def outcome(search: Simulated) -> Outcome:
    """Runs a search and holds what it says against the truth."""
    draws, true, candidates = search.draws, search.true, search.matrix(search.points)
    best = int(np.argmin(true))
    chosen = recommend(draws, candidates, SIZES, rivals=search.baselines)
    low, high = credible_shares(draws, candidates)
    inside = (candidates[best] >= low - 1e-9) & (candidates[best] <= high + 1e-9)
    tied = indistinguishable_set(draws)
    least, most = np.quantile(draws, [0.05, 0.95], axis=0)
    held = (true >= least) & (true <= most)
    chances = p_best(draws)
    equal = float(search.value(search.law.losses(np.full((1, 3), 1 / 3)))[0])
    return Outcome(
        trials=search.trials,
        runs=search.runs,
        regret=float(true[chosen] - true[best]),
        stated=float(expected_regret(draws)[chosen]),
        gap=equal - float(true[best]),
        shares=float(inside.mean()),
        mass=float(np.mean(chances @ ((candidates >= low - 1e-9) & (candidates <= high + 1e-9)))),
        width=float((high - low).mean()),
        member=bool(tied[best]),
        tied=int(tied.sum()),
        loss=bool(held[chosen]),
        curve=float(held.mean()),
        chance=float(chances.max()),
        found=int(np.argmax(chances)) == best,
        signal=sum(target.has_signal for target in search.fitted.targets),
    )


def means(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Returns the mean of every number over searches."""
    numbers = np.array([astuple(one) for one in outcomes], dtype=np.float64).mean(axis=0)
    return {field.name: float(number) for field, number in zip(fields(Outcome), numbers, strict=True)}


def shuffled_signals(search: Simulated) -> int:
    """Returns how many abilities still have a signal when the losses of a search are dealt out to its mixtures at random."""
    mixtures, losses = search.observed
    dealt = np.random.default_rng([search.seed, 5]).permutation(losses)
    return sum(target.has_signal for target in search.learn(mixtures, dealt).targets)
