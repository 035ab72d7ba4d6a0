"""The search itself: base and noise floor first, then the baselines, then the strategy's rounds, all over one matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from curate.errors import TrainError, did_you_mean
from curate.files import write_json
from curate.fingerprint import canonical_json, key_of, no_files
from curate.mixture import MixSpec
from train.grid.baselines import BASE, CENTRE, baselines
from train.grid.claims import claim
from train.grid.config import GridConfig
from train.grid.jobs import Job, Shop
from train.grid.results import Results
from train.grid.space import Constraint, Point, Space
from train.grid.strategies import Finished, Study, Trial
from train.grid.strategies.study import WHOLE, standing
from train.grid.worker import Worker
from train.mixlaw.fitting import fit
from train.mixlaw.law import Law

Array = NDArray[np.float64]
SEARCHES = "searches"


@dataclass
class Search:
    """One search as one worker sees it; `run` gives the same results in every worker."""

    config: GridConfig
    shop: Shop
    worker: Worker

    def __post_init__(self) -> None:
        self.abilities, self.tests, self.targets = self.shop.abilities, tuple(self.shop.tests), self.shop.targets
        self.objective = self.config.objective
        self.objective.looks_at(self.abilities, self.tests)  # an unknown name is told before anything is trained
        self.space = self._space()
        self.results = Results(self.worker.folder, self.shop, self.space.reading, self.config.budget)
        self.seeds = [self.config.train.seed + n for n in range(self.config.noise_seeds)]
        self.names: dict[str, list[str]] = {}
        self.rounds: list[list[Finished]] = []
        self._laws: dict[bytes, Law] = {}

    def _space(self) -> Space:
        """Returns the space over the pool's abilities, without the mixtures the pool has too little data for.

        Raises:
            TrainError: an ability has no validation rows, the pool holds others, or a fixed share is out of reach.
        """
        found, told = self.abilities, self.config.space
        if not found:
            raise TrainError("the pool has no validation rows to measure losses on; set `split:` in the recipe")
        for name in told.abilities:
            if name not in found:
                raise TrainError(
                    f"space.abilities: the pool has no {name!r} with validation rows{did_you_mean(name, found)}"
                )
        if left := set(found) - set(told.abilities or found):
            raise TrainError(
                f"space.abilities: leaves out {', '.join(sorted(left))} of the pool; name them too, and set "
                "`fixed: {NAME: 0}` for what is not to be trained"
            )
        reach = [] if self.config.budget is None else self._reachable(self.config.budget)
        return Space.model_validate(
            {**told.model_dump(), "abilities": found, "constraints": (*told.constraints, *reach)}
        )

    def _reachable(self, budget: int) -> list[Constraint]:
        """Returns what bounds shares to what `max_epochs` passes over an ability's data can give."""
        passes = Fraction(str(self.config.max_epochs))
        most = {n: passes * int(size) / budget for n, size in zip(self.abilities, self.shop.sizes, strict=True)}
        for name, share in self.config.space.fixed.items():
            if name in most and share > most[name]:
                raise TrainError(
                    f"space.fixed: {float(share):.3g} of {budget:,} trained tokens is more of {name!r} than "
                    f"{self.config.max_epochs:g} passes give; at most {float(most[name]):.3g}"
                )
        return [Constraint(abilities=(name,), at_most=share) for name, share in most.items() if share < 1]

    @property
    def id(self) -> str:
        """The key of what the search asks; worker and folder are no part of it."""
        told = self.config.model_dump(mode="json", exclude={"output", "train", "recipe", "objective", "tests"})
        asked = [told, self.objective.model_dump(mode="json"), self.shop.settings, self.shop.digests, self.shop.pools]
        tests = {name: test.digest for name, test in self.shop.tests.items()}
        return key_of(canonical_json([*asked, tests] if tests else asked, no_files))

    def run(self, after: Callable[[], None] = lambda: None) -> None:
        """Runs everything that is not in the matrix yet and waits for what others run; calls `after` a round that was new."""
        known = self.known
        centre = self.baselines[CENTRE]
        self._note([Job(BASE, None, WHOLE, self.seeds[0]), *(Job(CENTRE, centre, WHOLE, seed) for seed in self.seeds)])
        self._note(
            [Job(n, s, WHOLE, seed) for n, s in self.baselines.items() for seed in self.seeds[: self.config.seeds]]
        )
        own = [keys for name, keys in self.names.items() if name != BASE]
        before = [[key] for key in known if key not in self.keys]
        lessons = tuple(self.results.lessons([*own, *before]))
        study = Study(self.space, self.matrix, self.value, self.learn, self.run_noise, lessons, self.config.train.seed)
        while trials := self._proposed(study):
            jobs = {trial: self._jobs(trial) for trial in trials}
            keys = {trial: [self.shop.ready(job).key for job in part] for trial, part in jobs.items()}
            new = not all(self.worker.is_done(key) for part in keys.values() for key in part)
            self._note([job for part in jobs.values() for job in part])
            self.rounds.append([self.results.finished(trial, part) for trial, part in keys.items()])
            if new:
                after()

    def _proposed(self, study: Study) -> list[Trial]:
        """Returns the next round; who comes to it first writes it down for the others, whose machines may round
        differently.
        """

        def propose() -> list[Any]:
            found = self.config.strategy.propose(study, self.rounds)
            return [[str(trial.rung), *map(str, trial.point)] for trial in found]

        written = self._once(f"round{len(self.rounds)}", propose)
        return [Trial(tuple(map(Fraction, levels)), Fraction(rung)) for rung, *levels in written]

    @cached_property
    def known(self) -> list[str]:
        """Keys of trials that stood in the folder when the search first began: they teach the law.

        The list is written once, so that a restart, or another worker, knows no more than the first did.
        """
        return [str(key) for key in self._once("known", self.results.alike)]

    def _once(self, name: str, make: Callable[[], list[Any]]) -> list[Any]:
        """Returns what the first worker to ask made, for all workers and restarts."""
        place = self.worker.folder / SEARCHES / self.id / f"{name}.json"
        while not place.exists():
            with claim(self.worker.folder, f"{self.id}-{name}") as mine:
                if mine and not place.exists():
                    write_json(place, make())
            if not place.exists():
                self.worker.rest()
        return list(orjson.loads(place.read_bytes()))

    def _note(self, jobs: Sequence[Job]) -> None:
        for job, key in zip(jobs, self.worker.complete(jobs), strict=True):
            label = f"{job.name} @ {job.rung}" if job.rung != 1 else job.name
            keys = self.names.setdefault(label, [])
            if key not in keys:
                keys.append(key)

    def _jobs(self, trial: Trial) -> list[Job]:
        spec = self.space.spec(trial.point, self.config.shared)
        seeds = self.seeds[: self.config.seeds]
        return [Job(self.space.label(trial.point), spec, trial.rung, seed) for seed in seeds]

    @cached_property
    def baselines(self) -> dict[str, MixSpec]:
        """The baselines by name."""
        domain = self.shop.mixing.pool.index.domain[self.shop.mixing.index.rows]
        return baselines(self.abilities, bool(domain.any() and not domain.all()), self.config.shared)

    def matrix(self, points: Sequence[Point]) -> Array:
        """Returns mixtures of points as the law takes them."""
        return self.space.matrix(points, [float(size) for size in self.shop.sizes])

    def value(self, losses: Array) -> Array:
        """Returns the objective [...] of losses [..., targets]."""
        return self.objective.value(losses, self.base, self.abilities, self.tests)

    @cached_property
    def base(self) -> Array:
        """Losses [targets] of the untrained model."""
        return np.asarray(self.results.losses(self.names[BASE])[0])

    @cached_property
    def noise(self) -> Array:
        """Deviation [targets] of each loss between runs of one mix: the noise floor."""
        return np.asarray(np.std(self.results.losses(self.names[CENTRE]), axis=0, ddof=1))

    @cached_property
    def run_noise(self) -> float:
        """Deviation of the objective between runs of one mix, in the mean over a mixture's seeds."""
        values = self.value(self.results.losses(self.names[CENTRE]))
        return float(np.std(values, ddof=1)) / self.config.seeds**0.5

    def learn(self, mixtures: Array, losses: Array) -> Law:
        """Fits the law of all abilities and tests to runs in any order.

        Raises:
            TrainError: there are too few different mixtures.
        """
        order = np.lexsort(np.concatenate([losses, mixtures], axis=1).T)
        rows = mixtures[order], losses[order]
        asked = rows[0].tobytes() + rows[1].tobytes()
        if asked not in self._laws:
            noise = self.noise / self.config.seeds**0.5
            self._laws = {asked: fit(*rows, noise, domains=self.abilities, targets=self.targets)}
        return self._laws[asked]

    @property
    def keys(self) -> list[str]:
        """The keys of every trial of the search, the base first."""
        return list(dict.fromkeys(key for keys in self.names.values() for key in keys))

    @property
    def trials(self) -> int:
        """How many runs the search is made of, the base not counted."""
        return len(self.keys) - 1

    @property
    def lessons(self) -> list[Finished]:
        """Every mixture that teaches the law, its own and those known before; short runs as they would stand at the end."""
        mine = set(self.keys)
        whole = self.results.lessons([*self.names.values(), *([key] for key in self.known if key not in mine)])
        return [*whole, *(run for run in standing(self.rounds) if run.trial.rung != WHOLE)]
