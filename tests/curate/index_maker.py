"""Makes small indexes for the tests of mixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from curate.mixture import MixIndex, MixSpec, Mixture
from curate.pool import PoolIndex

NAMES = ("code", "math", "service", "writing")


def index_of(
    abilities: list[int], tokens: list[int], domain: list[bool] | None = None, seed: int = 0, names: Any = NAMES
) -> PoolIndex:
    """Returns an index whose row k has an id that depends on ``seed`` and k, half of its tokens trained."""
    count = len(tokens)
    numbers = np.arange(1, 2 * count + 1, dtype=np.uint64) + np.uint64(1000 * seed)
    ids = (numbers * np.uint64(0x9E3779B97F4A7C15)).reshape(count, 2)
    n_tokens = np.array(tokens, dtype=np.int32)
    return PoolIndex(
        ids=ids,
        groups=ids,
        source=np.array(abilities, dtype=np.int16),
        ability=np.array(abilities, dtype=np.int16),
        domain=np.array(domain or [False] * count, dtype=np.bool_),
        n_tokens=n_tokens,
        n_trained=(n_tokens - n_tokens // 2).astype(np.int32),
        source_names=tuple(f"{name}.jsonl" for name in names),
        ability_names=names,
    )


def sized(*sizes: int, domain: tuple[bool, ...] | None = None) -> PoolIndex:
    """Returns rows of one token, ``sizes[k]`` of them in ability k."""
    abilities = [k for k, size in enumerate(sizes) for _ in range(size)]
    flags = [domain[k] for k in abilities] if domain else None
    return index_of(abilities, [1] * len(abilities), flags)


def spec_of(**fields: Any) -> MixSpec:
    """Returns a spec of plain data, as a recipe gives it."""
    return MixSpec.model_validate(fields)


def rows_of(mixture: Mixture) -> list[int]:
    """Returns the rows of each group."""
    return [group.rows for group in mixture.groups]


def chosen_of(mixture: Mixture, index: PoolIndex, ability: int) -> list[tuple[int, int]]:
    """Returns the (row, pass) places of one ability, in stream order."""
    mine = index.ability[mixture.rows] == ability
    return list(zip(mixture.rows[mine].tolist(), mixture.passes[mine].tolist(), strict=True))


def with_columns(index: PoolIndex, seed: int = 0, **columns: list[Any]) -> MixIndex:
    """Returns an index to mix over whose pool also has some columns."""
    made = {name: pa.chunked_array([pa.array(values)]) for name, values in columns.items()}
    column: Callable[[str], pa.ChunkedArray | None] = made.get
    return MixIndex(index, seed, None, column)
