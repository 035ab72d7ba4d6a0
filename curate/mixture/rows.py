"""The rows a mixture chooses from: their groups, their units, their seeded rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from curate.mixture.spec import MixSpec, Unit
from curate.ranks import keyed_ranks


class RowIndex(Protocol):
    """Light columns of a pool, of equal length; codes point into names."""

    @property
    def ids(self) -> NDArray[np.uint64]:
        """Row ids, uint64[n, 2]."""

    @property
    def source(self) -> NDArray[np.int16]:
        """Source code of each row."""

    @property
    def ability(self) -> NDArray[np.int16]:
        """Ability code of each row."""

    @property
    def domain(self) -> NDArray[np.bool_]:
        """Whether a row is domain data."""

    @property
    def n_tokens(self) -> NDArray[np.int32]:
        """Tokens of each row."""

    @property
    def n_trained(self) -> NDArray[np.int32]:
        """Trained tokens of each row."""

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the sources."""

    @property
    def ability_names(self) -> tuple[str, ...]:
        """Names of the abilities."""


@dataclass(frozen=True)
class Group:
    """Rows of one group in rank order, and how many units the first ``k`` of them have."""

    name: str
    domain: bool
    """Whether all of these are domain rows."""
    rows: NDArray[np.int64]
    units: NDArray[np.int64]
    reached: NDArray[np.int64]
    """Cumulative units, starting at 0: one more entry than rows."""

    @property
    def total(self) -> int:
        """Units of one whole pass."""
        return int(self.reached[-1])


def units_of(index: RowIndex, unit: Unit) -> NDArray[np.int64]:
    """Returns what each row counts for."""
    if unit == "rows":
        return np.ones(len(index.ids), dtype=np.int64)
    return (index.n_tokens if unit == "tokens" else index.n_trained).astype(np.int64)


def ranked_groups(index: RowIndex, spec: MixSpec, seed: int) -> list[Group]:
    """Returns the groups the rows fall into, by name, rows ranked by a keyed hash of their ids.

    The rank of a row depends on the seed, its group's name and its id alone: not on other rows, files or budgets, so
    the rows of a smaller amount are always a prefix of those of a larger one.
    """
    units = units_of(index, spec.unit)
    groups = []
    for name, label, domain, rows in _members(index, spec):
        ranked = rows[_rank_order(index.ids[rows], seed, name)]
        taken = units[ranked]
        reached = np.concatenate([[0], np.cumsum(taken, dtype=np.int64)])
        groups.append(Group(label, domain, ranked, taken, reached))
    return groups


def group_names(index: RowIndex, spec: MixSpec) -> tuple[str, ...]:
    """Returns the names groups can have under ``spec.by``."""
    if spec.by == "domain":
        return ("general", "domain")
    return index.source_names if spec.by == "source" else index.ability_names


def _members(index: RowIndex, spec: MixSpec) -> Iterator[tuple[str, str, bool, NDArray[np.int64]]]:
    """Yields (name, label, whether domain, rows) of each group that has rows.

    Under ``domain_to_general`` a group that holds both domain and general rows is two: each is counted on its side.
    """
    codes = {"domain": index.domain, "source": index.source, "ability": index.ability}[spec.by].astype(np.int64)
    split = spec.domain_to_general is not None and spec.by != "domain"
    for code, name in enumerate(group_names(index, spec)):
        rows = np.flatnonzero(codes == code)
        flags = index.domain[rows]
        sides = [side for side in (False, True) if (flags == side).any()] if split else [bool(flags.all())]
        for side in sides:
            mine = rows[flags == side] if split else rows
            label = f"{name} ({'domain' if side else 'general'})" if len(sides) > 1 else name
            if mine.size:
                yield name, label, side, mine


def _rank_order(ids: NDArray[np.uint64], seed: int, name: str) -> NDArray[np.int64]:
    """Returns positions by rank; equal hashes by id, so the order of the input never matters."""
    hashed = keyed_ranks(ids, seed, name)
    order = np.argsort(hashed)
    if (np.diff(hashed[order]) == 0).any():
        order = np.lexsort((ids[:, 1], ids[:, 0], hashed))
    return order.astype(np.int64)
