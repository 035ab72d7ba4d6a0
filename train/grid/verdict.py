"""What a search says: the mix to use, those as good, how sure that is, and what three more runs would buy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.files import write_bytes
from train.grid.regret import next_trials
from train.grid.search import Search
from train.grid.space import Point
from train.mixlaw.analysis import (
    credible_shares,
    expected_regret,
    indistinguishable_set,
    measured_draws,
    p_best,
    recommend,
)
from train.mixlaw.law import Law

Array = NDArray[np.float64]

DRAWS = 1000
MORE = 3
MOST_TIED = 12
SAME = 0.01
"""Mixtures that differ by less than this, as a share or of all data, are the same."""
MOST_JUDGED = 4096
"""Mixtures that are drawn for; of a larger space those of the best values within two deviations of the prediction."""


@dataclass(frozen=True)
class Candidate:
    """A mixture of the space: its predicted objective with its deviation, and its chance to be the best."""

    label: str
    shares: tuple[float, ...]
    value: float
    std: float
    p_best: float


@dataclass(frozen=True)
class Rival:
    """A baseline: its measured objective, the mean over its runs, and the chance that the recommended mix is better."""

    name: str
    value: float
    beaten: float | None
    """None where the two are the same mixture."""


@dataclass(frozen=True)
class Verdict:
    """The end of a search; `best` is the recommended mixture, `tied` those indistinguishable from the best."""

    best: Candidate
    point: Point
    tied: tuple[Candidate, ...]
    tied_count: int
    judged: int
    """Mixtures of the space that were compared."""
    regret: float
    """What the recommended mixture is expected to lose against the true best of the space."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    """90 % interval of each ability's share, or amount, in the best mixture."""
    more: tuple[tuple[str, float], ...]
    """The runs to add next, with the regret each is expected to remove."""
    signal: dict[str, bool]
    """Whether the mixture explains anything of each ability's and each test's loss."""
    rivals: tuple[Rival, ...]
    law: Law
    points: tuple[Point, ...]
    mixtures: Array
    """The judged mixtures [m, abilities]."""
    values: Array
    """Predicted objective of each judged mixture [m]."""
    objective: frozenset[str]
    """The abilities and tests the objective looks at."""

    @property
    def has_signal(self) -> bool:
        """Tells whether the mixture matters to any ability or test the objective looks at."""
        return any(found for name, found in self.signal.items() if name in self.objective)


def judge(search: Search) -> Verdict:
    """Fits the law of everything that was run and judges the mixtures of the space by it.

    The recommendation is the member of the indistinguishable set nearest to proportional that no other member and no
    baseline clearly beats: as good as any, and the least departure from the data. Without a signal all are tied.

    Raises:
        TrainError: under five different mixtures were run.
    """
    lessons = search.lessons
    law = search.learn(np.array([f.mixture for f in lessons]), np.array([f.losses for f in lessons]))
    points = _judged(search, law)
    mixtures = search.matrix(points)
    names, others, values = _baselines(search)
    draws = search.value(law.sample(mixtures, DRAWS, search.config.train.seed))
    against = _measured(search, names, values)
    signal = {target.name: target.has_signal for target in law.targets}
    looked_at = frozenset(search.objective.looks_at(search.abilities, search.tests))
    said = any(signal[name] for name in looked_at)
    chances = p_best(draws) if said else np.full(len(points), 1 / len(points))
    means, stds = draws.mean(axis=0), draws.std(axis=0)
    chosen = recommend(draws, mixtures, search.shop.sizes.astype(np.float64), rivals=against)
    low, high = credible_shares(draws, mixtures) if said else (mixtures.min(axis=0), mixtures.max(axis=0))
    ties = np.flatnonzero(indistinguishable_set(draws))
    labels = [search.space.label(point) for point in points]

    def candidate(place: int) -> Candidate:
        numbers = (labels[place], tuple(mixtures[place].tolist()))
        return Candidate(*numbers, float(means[place]), float(stds[place]), float(chances[place]))

    order = ties[np.argsort(means[ties], kind="stable")][:MOST_TIED]
    more = next_trials(draws, search.run_noise, MORE, range(len(points))) if said else []
    return Verdict(
        best=candidate(chosen),
        point=points[chosen],
        tied=tuple(candidate(int(place)) for place in order),
        tied_count=len(ties),
        judged=len(points),
        regret=float(expected_regret(draws)[chosen]),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        more=tuple((labels[place], gain) for place, gain in more),
        signal=signal,
        rivals=tuple(_rivals(search, names, values, against > draws[:, [chosen]], others - mixtures[chosen])),
        law=law,
        points=points,
        mixtures=mixtures,
        values=means,
        objective=looked_at,
    )


def _judged(search: Search, law: Law) -> tuple[Point, ...]:
    """Returns the points of the space, of a very large one the promising part."""
    points = search.space.points()
    if len(points) <= MOST_JUDGED:
        return points
    hopes = []
    for start in range(0, len(points), MOST_JUDGED):
        found = law.predict(search.matrix(points[start : start + MOST_JUDGED]))
        hopes.append(search.value(found.mean - 2 * found.std))
    kept = np.sort(np.argsort(np.concatenate(hopes), kind="stable")[:MOST_JUDGED])
    return tuple(points[place] for place in kept)


def _baselines(search: Search) -> tuple[list[str], Array, Array]:
    """Returns the baselines that were run on the whole budget: names, mixtures [baselines, abilities], objectives."""
    names = [n for n in search.baselines if n in search.names and not search.results.is_short(search.names[n])]
    rows = [search.results.mixtures(search.names[name]).mean(axis=0) for name in names]
    values = [float(search.value(search.results.losses(search.names[name]).mean(axis=0))) for name in names]
    return names, np.array(rows).reshape(len(names), len(search.abilities)), np.array(values)


def _measured(search: Search, names: list[str], values: Array) -> Array:
    """Returns draws [draws, baselines] of what baselines come to, by their own runs."""
    runs = np.array([len(search.names[name]) for name in names])
    single, freedom = search.run_noise * search.config.seeds**0.5, search.config.noise_seeds - 1
    return measured_draws(values, single, freedom, runs, DRAWS, search.config.train.seed)


def _rivals(search: Search, names: list[str], values: Array, worse: NDArray[np.bool_], apart: Array) -> Iterator[Rival]:
    """Yields the baselines; `worse` [draws, baselines] than the recommended mixture, `apart` [baselines, abilities]."""
    size = float(search.shop.sizes.sum()) if search.space.reading == "amount" else 1.0
    for place, name in enumerate(names):
        same = float(np.abs(apart[place]).max()) < SAME * size
        yield Rival(name, float(values[place]), None if same else float(worse[:, place].mean()))


def write_best(search: Search, verdict: Verdict, path: Path) -> None:
    """Writes the recommended mixture as the `mix:` of a recipe."""
    lines = [f"# {verdict.best.label}: recommended by {search.config.strategy.name} over {search.trials} runs"]
    if verdict.has_signal:
        lines.append(
            f"# as good, as far as the runs tell: {verdict.tied_count} of {verdict.judged} mixtures; expected regret "
            f"{verdict.regret:.3g} of the objective"
        )
    else:
        lines.append(
            "# no signal: the losses did not follow from the mixture, so this is only the nearest to proportional"
        )
    rule = "weights" if search.space.reading == "share" else "amounts"
    lines += ["mix:", f"  max_epochs: {search.config.max_epochs:g}", f"  {rule}:"]
    lines += [
        f"    {json.dumps(name, ensure_ascii=False)}: {_number(n)}"
        for name, n in search.space.numbers(verdict.point).items()
    ]
    write_bytes(path, ("\n".join(map(_safe, lines)) + "\n").encode())


def _safe(line: str) -> str:
    """Returns a line without what breaks lines: an ability's name may hold anything."""
    return "".join(c if c.isprintable() else " " for c in line)


def _number(value: object) -> str:
    return f'"{value}"' if "/" in str(value) else str(value)
