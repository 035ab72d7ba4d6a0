"""The law of an experiment: for each target the surrogates that evidence chose, predictions with intervals, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.stats import norm

from curate.errors import TrainError
from train.mixlaw.evidence import LEVEL, Evidence, combine
from train.mixlaw.models import Name, load_surrogate
from train.mixlaw.space import Space
from train.mixlaw.surrogate import Array, State, Surrogate

COVERED = 0.9
"""Coverage at which intervals are calibrated on left-out mixes, and of `lower` and `upper`."""


class Member(BaseModel):
    """One surrogate of a target: its weight in predictions, how often it is drawn from, what it is rebuilt from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Name
    weight: float
    drawn: float
    state: State


class Target(BaseModel):
    """One target: how it is standardized, its members, the calibration of its intervals, and the evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    centre: float
    spread: float
    rows: tuple[int, ...]
    """Runs with a finite value."""
    members: tuple[Member, ...]
    inflation: float
    """Factor on deviations that makes 90 % intervals cover 90 % of the left-out runs."""
    p_value: float
    evidence: tuple[Evidence, ...]

    @property
    def has_signal(self) -> bool:
        """Tells whether the mixture explains anything of this target; if not, its mean is all that is predicted."""
        return self.p_value <= LEVEL


class LawFile(BaseModel):
    """The plain JSON of a law: the runs it was fitted to, and its targets."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["mixture law"] = "mixture law"
    version: Literal[1] = 1
    domains: tuple[str, ...]
    unit: float | None
    mixtures: tuple[tuple[float, ...], ...]
    losses: tuple[tuple[float | None, ...], ...]
    targets: tuple[Target, ...]


class Prediction(NamedTuple):
    """Mean, deviation of a new run, and 90 % interval of a new run; each [m, t]."""

    mean: Array
    std: Array
    lower: Array
    upper: Array


@dataclass(frozen=True)
class Law:
    """A fitted law; `file` is all of it, the surrogates are rebuilt from it."""

    file: LawFile
    space: Space
    mixtures: Array
    """The runs [n, d] in the units of the surrogates."""
    surrogates: tuple[tuple[Surrogate, ...], ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, in the order of the columns of predictions."""
        return self.file.targets

    @property
    def losses(self) -> Array:
        """The losses [n, t] the law was fitted to; nan where there was none."""
        return np.array([[np.nan if v is None else v for v in row] for row in self.file.losses])

    def predict(self, mixtures: Array) -> Prediction:
        """Predicts new runs of mixtures [m, d], in the unit of the runs.

        Raises:
            TrainError: the mixtures are not of the law's space.
        """
        scaled = self.space.scale(mixtures)
        columns = [self._target(number, scaled) for number in range(len(self.targets))]
        mean, std = (np.stack([column[part] for column in columns], 1) for part in (0, 1))
        reach = norm.ppf(0.5 + COVERED / 2) * std
        return Prediction(mean, std, mean - reach, mean + reach)

    def _target(self, number: int, scaled: Array) -> tuple[Array, Array]:
        target = self.targets[number]
        used = [(s, m.weight) for s, m in zip(self.surrogates[number], target.members, strict=True) if m.weight > 0]
        parts = [(mean, np.hypot(std, s.noise)) for s, _ in used for mean, std in [s.predict(scaled)]]
        mean, std = combine(parts, np.array([weight for _, weight in used]))
        return target.centre + target.spread * mean, target.spread * target.inflation * std

    def sample(self, mixtures: Array, count: int, seed: int = 0) -> Array:
        """Draws plausible curves jointly at mixtures [m, d]; [count, m, t], without the noise of a run.

        Each draw takes one surrogate of the stack, so that their disagreement is part of the uncertainty even where one
        of them predicts alone.

        Raises:
            TrainError: the mixtures are not of the law's space.
        """
        scaled = self.space.scale(mixtures)
        drawn = np.empty((count, len(scaled), len(self.targets)))
        for number, (target, members) in enumerate(zip(self.targets, self.surrogates, strict=True)):
            random = np.random.default_rng([seed, number])
            choice = random.choice(len(members), count, p=[member.drawn for member in target.members])
            for place, member in enumerate(members):
                rows = np.flatnonzero(choice == place)
                values, mean = member.draw(scaled, len(rows), random), member.predict(scaled)[0]
                drawn[rows, :, number] = mean + max(target.inflation, 1.0) * (values - mean)
            drawn[:, :, number] = target.centre + target.spread * drawn[:, :, number]
        return drawn

    def to_json(self) -> bytes:
        """Returns the law as JSON, the same bytes for the same runs, model and seed."""
        return orjson.dumps(self.file.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"

    @staticmethod
    def from_json(text: bytes) -> Law:
        """Reads a law back.

        Raises:
            TrainError: the text is no law of this version, or is damaged.
        """
        try:
            return load(LawFile.model_validate_json(text))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise TrainError(f"not a mixture law: {place}: {first['msg']}; write it with `train mixlaw fit`") from error


def load(file: LawFile) -> Law:
    """Rebuilds the surrogates of a law."""
    mixtures = np.array(file.mixtures, dtype=np.float64)
    losses = np.array([[np.nan if v is None else v for v in row] for row in file.losses], dtype=np.float64)
    surrogates = [_rebuild(t, mixtures, losses[:, n]) for n, t in enumerate(file.targets)]
    return Law(file, Space(file.domains, file.unit), mixtures, tuple(surrogates))


def _rebuild(target: Target, mixtures: Array, losses: Array) -> tuple[Surrogate, ...]:
    rows: Sequence[int] = target.rows
    standard = (losses[list(rows)] - target.centre) / target.spread
    return tuple(load_surrogate(m.name, m.state, mixtures[list(rows)], standard) for m in target.members)
