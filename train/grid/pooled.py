"""Training data that is looked up in a pool: a mixture and a pack plan over it, nothing exported or copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import xxhash

from curate.mixing import Mixing
from curate.mixture import Mixture
from curate.pool import PackedView
from train.grid.choices import Choices
from train.loader import Sequences

AT_ONCE = 256
"""Sequences hashed at a time."""


@dataclass(frozen=True)
class PoolData:
    """One mixture as the trainer reads it."""

    train: PackedView
    validation: Mapping[str, PackedView]
    sources: tuple[str, ...]
    length: int
    eos: tuple[int, ...]
    tests: Mapping[str, Choices] = field(default_factory=dict)
    name: str = "the mixture"

    @property
    def feed(self) -> Sequences:
        """The training sequences."""
        return self.train

    @cached_property
    def digest(self) -> str:
        """Of the tokens, labels and borders of every training sequence in order: what a model would be trained on.

        It does not depend on what else is in the pool, so a trial is known again after an ability was added.
        """
        return digest(self.train)


def digest(view: PackedView) -> str:
    """Returns the XXH3-128 of the content of a view, in its order."""
    found = xxhash.xxh3_128()
    for start in range(0, len(view), AT_ONCE):
        batch = view.batch(np.arange(start, min(start + AT_ONCE, len(view))))
        for part in (batch.input_ids, batch.labels, batch.seq_lengths):
            found.update(np.ascontiguousarray(part, dtype="<i4").tobytes())
            found.update(part.size.to_bytes(8, "little"))
    return found.hexdigest()


def reseed(mixing: Mixing, seed: int) -> Mixing:
    """Returns the same pool and validation rows with other ranks: another seed trains on another draw of rows."""
    return replace(mixing, seed=seed)


def validation_views(mixing: Mixing) -> dict[str, PackedView]:
    """Returns the validation rows of each ability as sequences of one document, those the model can take."""
    fits = mixing.pool.n_tokens <= mixing.longest
    kept = {name: rows[fits[rows]] for name, rows in mixing.validation.items()}
    return {name: mixing.unpacked(rows) for name, rows in kept.items() if rows.size}


def pool_data(
    mixing: Mixing,
    mixture: Mixture,
    validation: Mapping[str, PackedView],
    eos: tuple[int, ...],
    tests: Mapping[str, Choices] | None = None,
) -> PoolData:
    """Returns a mixture packed as the recipe says, with what a model trained on it is measured by."""
    names = mixing.pool.index.source_names
    return PoolData(mixing.packed(mixture), validation, names, mixing.recipe.pack.length, eos, tests or {})
