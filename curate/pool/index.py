"""The light columns of a pool, in memory: what a mixture needs to know of each row, and nothing of its tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.errors import StoreError
from curate.shards.ids import ids_from_hex

_MOST_NAMES = 1 << 15


@dataclass(frozen=True)
class PoolIndex:
    """Columns of equal length, 47 bytes a row; categories are codes into names sorted alphabetically."""

    ids: NDArray[np.uint64]
    """Row ids, uint64[n, 2], the high half first."""
    groups: NDArray[np.uint64]
    """Group ids, uint64[n, 2]: rows of one group are never split between training and validation."""
    source: NDArray[np.int16]
    ability: NDArray[np.int16]
    domain: NDArray[np.bool_]
    n_tokens: NDArray[np.int32]
    n_trained: NDArray[np.int32]
    source_names: tuple[str, ...]
    ability_names: tuple[str, ...]

    def __len__(self) -> int:
        """Returns the number of rows."""
        return self.n_tokens.size

    def take(self, rows: NDArray[np.int64]) -> PoolIndex:
        """Returns the index of some rows, in the order given; names and codes stay as they are."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _DTYPES})


def build_index(batches: Iterable[pa.RecordBatch]) -> PoolIndex:
    """Reads the light columns batch by batch; tokens are never touched.

    Raises:
        StoreError: for a null or malformed value, or more than 32,768 sources or abilities.
    """
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in _DTYPES}
    names: dict[str, list[tuple[str, ...]]] = {"source": [], "ability": []}
    for batch in batches:
        columns["ids"].append(ids_from_hex(batch.column("id")))
        columns["groups"].append(ids_from_hex(batch.column("group")))
        light = cast(pl.DataFrame, pl.from_arrow(batch.select([*names, "domain", "n_tokens", "n_trained"])))
        _refuse_nulls(light)
        for name, seen in names.items():
            values = light[name].unique(maintain_order=True)
            seen.append(tuple(values.to_list()))
            columns[name].append(light[name].cast(pl.Enum(values)).to_physical().to_numpy())
        for name in ("domain", "n_tokens", "n_trained"):
            columns[name].append(light[name].to_numpy())
    source_names = _merge(columns["source"], names["source"], "source")
    ability_names = _merge(columns["ability"], names["ability"], "ability")
    joined = {name: _join(name, parts) for name, parts in columns.items()}
    return PoolIndex(**joined, source_names=source_names, ability_names=ability_names)


_DTYPES: dict[str, Any] = {
    "ids": np.uint64,
    "groups": np.uint64,
    "source": np.int16,
    "ability": np.int16,
    "domain": np.bool_,
    "n_tokens": np.int32,
    "n_trained": np.int32,
}


def _merge(parts: list[NDArray[Any]], seen: Sequence[tuple[str, ...]], column: str) -> tuple[str, ...]:
    """Recodes one categorical column of every part against all names, sorted, in place."""
    names = sorted({name for local in seen for name in local})
    if len(names) > _MOST_NAMES:
        raise StoreError(f"the pool has {len(names)} values of {column!r}; at most {_MOST_NAMES} are possible")
    code_of = {name: code for code, name in enumerate(names)}
    for at, local in enumerate(seen):
        parts[at] = np.array([code_of[name] for name in local], dtype=np.int16)[parts[at]]
    return tuple(names)


def _refuse_nulls(light: pl.DataFrame) -> None:
    for column in light:
        if column.null_count():
            raise StoreError(f"the pool has a row without {column.name!r}; run the tokenize step again")


def _join(name: str, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if not parts:
        return np.empty((0, 2) if name in ("ids", "groups") else 0, dtype=_DTYPES[name])
    return np.concatenate(parts)
