"""Jobs: what one worker runs at a time, and the rows of the loss matrix that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from curate.fingerprint import canonical_json, key_of, no_files
from curate.mixing import Mixing
from curate.mixture import MixSpec, Mixture
from curate.mixture.lock import lock_hash
from curate.pool import PackedView
from train.grid.baselines import BASE
from train.grid.choices import Choices, Grade
from train.grid.pooled import PoolData, digest, pool_data, reseed, validation_views
from train.grid.proxy import Beat, Outcome, Proxy

UNTOLD = {
    "model",
    "save_steps",
    "eval_steps",
    "keep_checkpoints",
    "log_steps",
    "loader_workers",
    "verify_shards",
    "seed",
}
"""Settings that change no loss, and those told in other ways."""
VERSION = 1


@dataclass(frozen=True)
class Job:
    """One run: a named mixture (None: the untrained base), for a share of its steps, with one seed."""

    name: str
    spec: MixSpec | None
    rung: Fraction
    seed: int


@dataclass(frozen=True)
class Ready:
    """A job whose mixture was resolved: its key says whether it was run before."""

    job: Job
    key: str
    mix: str
    data: str
    """Digest of what is trained on."""
    trained: tuple[int, ...]
    """Trained tokens of each ability, repeats included."""
    notes: tuple[str, ...]
    """Where the pool can't give what was asked for."""


@dataclass
class Shop:
    """Resolves and runs jobs over one pool with one proxy."""

    mixing: Mixing
    proxy: Proxy
    tests: Mapping[str, Choices] = field(default_factory=dict)
    _ready: dict[str, Ready] = field(default_factory=dict)
    _seeded: dict[int, Mixing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validation: dict[str, PackedView] = validation_views(self.mixing)
        self.abilities = tuple(self.validation)
        self.targets = (*self.abilities, *self.tests)
        self.digests = {name: digest(view) for name, view in self.validation.items()}
        self.settings = key_of(canonical_json(self._facts(), no_files))

    def _facts(self) -> dict[str, Any]:
        """Returns what fixes a trial beside its data, seed and length."""
        weights = xxhash.xxh3_128()
        for name, tensor in sorted(self.proxy.model.state_dict().items()):
            weights.update(name.encode())
            weights.update(np.ascontiguousarray(tensor.detach().cpu().float().numpy()).tobytes())
        told = self.proxy.config.model_dump(mode="json", exclude=UNTOLD)
        answers = {"rows": self.proxy.answers.rows, "tokens": self.proxy.answers.tokens}
        return {"weights": weights.hexdigest(), "train": told, "answers": answers, "version": VERSION}

    def ready(self, job: Job) -> Ready:
        """Resolves the mixture of a job and looks at what it trains on; nothing of it is kept but the key.

        Raises:
            RecipeError: the pool can't give the mixture.
        """
        asked = f"{job.seed} {job.rung} {job.spec.model_dump_json() if job.spec else BASE}"
        if asked not in self._ready:
            mixing, spec, mixture = self._resolve(job)
            data = self._data(mixing, mixture)
            facts = {
                "settings": self.settings,
                "validation": self.digests,
                "data": data.digest if job.spec else None,
                "seed": job.seed if job.spec else None,
                "rung": str(job.rung),
            }
            key = key_of(canonical_json(facts, no_files))
            mix = lock_hash(mixing.lock(mixture, spec))
            trained = tuple(self.trained(mixture).tolist()) if job.spec else (0,) * len(self.abilities)
            self._ready[asked] = Ready(job, key, mix, data.digest, trained, mixture.notes)
        return replace(self._ready[asked], job=job)

    def _resolve(self, job: Job) -> tuple[Mixing, MixSpec, Mixture]:
        mixing, spec = self._seeded.setdefault(job.seed, reseed(self.mixing, job.seed)), job.spec or MixSpec()
        return mixing, spec, mixing.resolve(spec)

    def _data(self, mixing: Mixing, mixture: Mixture) -> PoolData:
        return pool_data(mixing, mixture, self.validation, self.proxy.eos, self.tests)

    def run(self, ready: Ready, beat: Beat | None = None) -> tuple[list[dict[str, Any]], dict[str, Grade]]:
        """Trains (or only measures, for the base) and returns the rows of the loss matrix, and the grade of each test."""
        job = ready.job
        mixing, _, mixture = self._resolve(job)
        data = self._data(mixing, mixture)
        outcome = self.proxy.train(data, job.seed, job.rung, beat) if job.spec else self.proxy.measure(data)
        return self._rows(ready, outcome), outcome.tests

    def trained(self, mixture: Mixture) -> NDArray[np.int64]:
        """Returns the trained tokens of each ability in a mixture, repeats included."""
        index = self.mixing.pool.index
        sums = np.bincount(index.ability[mixture.rows], index.n_trained[mixture.rows], len(index.ability_names))
        return np.array([sums[index.ability_names.index(name)] for name in self.abilities], dtype=np.int64)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Trained tokens each ability has for training, every row once."""
        return self.trained(self.mixing.resolve(MixSpec()))

    @cached_property
    def pools(self) -> dict[str, str]:
        """A digest of the rows each ability has for training: whether an earlier trial drew from the same."""
        index, rows = self.mixing.pool.index, self.mixing.index.rows
        found = {}
        for name in self.abilities:
            own = rows[index.ability[rows] == index.ability_names.index(name)]
            seen = xxhash.xxh3_128()
            for column in (index.ids[own], index.n_tokens[own], index.n_trained[own]):
                seen.update(np.ascontiguousarray(column, dtype="<u8").tobytes())
            found[name] = seen.hexdigest()
        return found

    def shares(self, ready: Ready) -> Mapping[str, float]:
        """Returns the share of each ability in the trained tokens of a mixture."""
        whole = max(1, sum(ready.trained))
        return {name: tokens / whole for name, tokens in zip(self.abilities, ready.trained, strict=True)}

    def _rows(self, ready: Ready, outcome: Outcome) -> list[dict[str, Any]]:
        job, base = ready.job, ready.job.spec is None
        shared = {
            "key": ready.key,
            "settings": self.settings,
            "name": BASE if base else job.name,
            "mix": "" if base else ready.mix,
            "data": "" if base else ready.data,
            "rung": str(job.rung),
            "seed": job.seed,
            "steps": outcome.steps,
            "trial_tokens": outcome.tokens,
            "train_loss": outcome.train_loss,
            "seconds": outcome.seconds,
        }
        shares = self.shares(ready)
        return [
            {
                **shared,
                "ability": name,
                "loss": found.loss,
                "tokens": found.tokens,
                "validation": self.digests[name],
                "repetition": found.repetition,
                "share": shares[name],
                "pool": self.pools[name],
                "trained_tokens": tokens,
                "epochs": tokens / max(1, int(size)),
            }
            for (name, found), tokens, size in zip(outcome.abilities.items(), ready.trained, self.sizes, strict=True)
        ]
