"""Jobs: what one worker runs at a time, and the rows of the loss matrix that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
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
    """A job whose mixture is resolved: its key says whether it was run before."""

    job: Job
    key: str
    mix: str
    data: PoolData
    mixture: Mixture


@dataclass
class Shop:
    """Resolves and runs jobs over one pool with one proxy."""

    mixing: Mixing
    proxy: Proxy
    _ready: dict[str, Ready] = field(default_factory=dict)
    _seeded: dict[int, Mixing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validation: dict[str, PackedView] = validation_views(self.mixing)
        self.abilities = tuple(self.validation)
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
        """Resolves the mixture of a job.

        Raises:
            RecipeError: the pool can't give the mixture.
        """
        asked = f"{job.seed} {job.rung} {job.spec.model_dump_json() if job.spec else BASE}"
        if asked not in self._ready:
            mixing = self._seeded.setdefault(job.seed, reseed(self.mixing, job.seed))
            spec = job.spec or MixSpec()
            mixture = mixing.resolve(spec)
            data = pool_data(mixing, mixture, self.validation, self.proxy.eos)
            facts = {
                "settings": self.settings,
                "validation": self.digests,
                "data": data.digest if job.spec else None,
                "seed": job.seed if job.spec else None,
                "rung": str(job.rung),
            }
            key = key_of(canonical_json(facts, no_files))
            self._ready[asked] = Ready(job, key, lock_hash(mixing.lock(mixture, spec)), data, mixture)
        return replace(self._ready[asked], job=job)

    def run(self, ready: Ready, beat: Beat | None = None) -> list[dict[str, Any]]:
        """Trains (or only measures, for the base) and returns the rows of the loss matrix."""
        job = ready.job
        if job.spec is None:
            return self._rows(ready, self.proxy.measure(ready.data), np.zeros(len(self.abilities)))
        outcome = self.proxy.train(ready.data, job.seed, job.rung, beat)
        return self._rows(ready, outcome, self.trained(ready.mixture))

    def trained(self, mixture: Mixture) -> NDArray[np.int64]:
        """Returns the trained tokens of each ability in a mixture, repeats included."""
        index = self.mixing.pool.index
        sums = np.bincount(index.ability[mixture.rows], index.n_trained[mixture.rows], len(index.ability_names))
        return np.array([sums[index.ability_names.index(name)] for name in self.abilities], dtype=np.int64)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Trained tokens each ability has for training, every row once."""
        return self.trained(self.mixing.resolve(MixSpec()))

    def shares(self, ready: Ready) -> Mapping[str, float]:
        """Returns the share of each ability in the trained tokens of a mixture."""
        tokens = self.trained(ready.mixture)
        return dict(zip(self.abilities, (tokens / max(1, tokens.sum())).tolist(), strict=True))

    def _rows(self, ready: Ready, outcome: Outcome, trained: NDArray[Any]) -> list[dict[str, Any]]:
        job, base = ready.job, ready.job.spec is None
        shared = {
            "key": ready.key,
            "settings": self.settings,
            "name": BASE if base else job.name,
            "mix": "" if base else ready.mix,
            "data": "" if base else ready.data.digest,
            "rung": str(job.rung),
            "seed": job.seed,
            "steps": outcome.steps,
            "trial_tokens": outcome.tokens,
            "train_loss": outcome.train_loss,
            "seconds": outcome.seconds,
        }
        whole = max(1, int(trained.sum()))
        return [
            {
                **shared,
                "ability": name,
                "loss": found.loss,
                "tokens": found.tokens,
                "validation": self.digests[name],
                "repetition": found.repetition,
                "share": float(tokens) / whole,
                "trained_tokens": int(tokens),
                "epochs": float(tokens) / max(1, int(size)),
            }
            for (name, found), tokens, size in zip(outcome.abilities.items(), trained, self.sizes, strict=True)
        ]
