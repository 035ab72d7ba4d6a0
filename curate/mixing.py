"""A recipe's pool, open for mixing: what `curate mix` looks at and what a search for the best mixture trains from.

Plan ─► Mixing (pool, ranked index, validation rows) ─► resolve(spec) ─► packed(mixture) ─► sequences
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.errors import StoreError
from curate.mixture import MixIndex, MixSpec, Mixture, lock, resolve
from curate.mixture.diff import Stream
from curate.packing import PackSpec
from curate.packing.plan import plan as pack
from curate.plan import Plan
from curate.pool import PackedView, Pool
from curate.recipe import Recipe
from curate.releasing import open_pool
from curate.steps.mix import mix_index
from curate.steps.split import choose_validation, validation_rows

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Mixing:
    """The pool of a recipe with everything that mixtures of it share; tokens stay mapped and are never copied."""

    recipe: Recipe
    pool: Pool
    pool_key: str
    held: Rows
    """Validation rows of the pool, ascending."""
    seed: int
    """What ranks are keyed by."""
    longest: int
    """Tokens a row may have to take part."""

    @cached_property
    def index(self) -> MixIndex:
        """The training rows that fit into a sequence, ranked."""
        keep = np.ones(len(self.pool), dtype=np.bool_)
        keep[self.held] = False
        return mix_index(self.pool, np.flatnonzero(keep), self.seed, self.longest)

    @property
    def validation(self) -> dict[str, Rows]:
        """Validation rows of the pool by ability."""
        index = self.pool.index
        codes = index.ability[self.held]
        return {
            name: self.held[codes == code] for code, name in enumerate(index.ability_names) if (codes == code).any()
        }

    def resolve(self, spec: MixSpec | None = None) -> Mixture:
        """Resolves a mixture over the training rows; default: the recipe's."""
        return resolve(spec or self.recipe.mix, self.index)

    def packed(self, mixture: Mixture, spec: PackSpec | None = None) -> PackedView:
        """Returns the sequences of a mixture, read from the pool; default packing: the recipe's."""
        spec = spec or self.recipe.pack
        made = pack(self.pool.n_tokens[mixture.rows], spec.length, spec.window)
        return PackedView(self.pool, mixture.rows[made.order], made.bounds)

    def unpacked(self, rows: Rows) -> PackedView:
        """Returns rows as sequences of one document each: what a validation shard holds."""
        return PackedView(self.pool, rows, np.arange(rows.size + 1, dtype=np.int64))

    def lock(self, mixture: Mixture, spec: MixSpec | None = None) -> dict[str, Any]:
        """Returns the content of ``mix.lock.json`` of a mixture."""
        return lock(mixture, spec or self.recipe.mix, self.pool_key, self.longest)

    def stream(self, mixture: Mixture) -> Stream:
        """Returns the places of a mixture, for comparison."""
        return self.stream_of(mixture.rows, mixture.passes, mixture.sha256)

    def stream_of(self, rows: Rows, passes: NDArray[np.int16], sha256: str) -> Stream:
        """Returns places given as pool rows and passes, for comparison."""
        index = self.pool.index
        return Stream(index.ids[rows], passes, index.ability[rows], index.ability_names, index.n_trained[rows], sha256)


def open_mixing(plan: Plan) -> Mixing:
    """Opens the pool of a planned recipe.

    Raises:
        StoreError: when its rows are not tokenized yet.
    """
    found = plan.of("tokenize")
    if not found:
        raise StoreError(f"the recipe {plan.recipe.name!r} has no `tokenizer:`, so it makes no pool to mix from")
    (tokenize,) = found
    if not tokenize.cached:
        raise StoreError(
            f"the pool of {plan.recipe.name!r} is not in the store ({plan.why(tokenize)}); `curate run` the recipe first"
        )
    pool = open_pool(tokenize)
    (split,) = plan.of("split")
    if split.cached:
        held = validation_rows(split.artifact)
    else:
        held = choose_validation(pool.index, plan.recipe.split, plan.recipe.seed)[0]
    return Mixing(plan.recipe, pool, tokenize.step.key, held, plan.recipe.seed, plan.recipe.pack.length)
