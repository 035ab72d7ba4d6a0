"""Resolves a mixture: amounts, ranked prefixes and whole passes of each group, in the order the spec asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.mixture.amounts import Amounts, decide_amounts
from curate.mixture.index import Group, MixIndex, RowIndex
from curate.mixture.order import mixed, shuffled
from curate.mixture.places import Places, lay_out
from curate.mixture.spec import MixSpec
from curate.mixture.staged import staged

_HASHED_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class GroupAmount:
    """What one group was asked for and what it got; ``unit_`` counts are in the unit of the spec."""

    name: str
    domain: bool
    available_rows: int
    available_units: int
    """Of one pass over the rows within its quota."""
    share_asked: float
    share_got: float
    units_asked: int
    """What the rule alone asks for."""
    units_possible: int
    """What it asks for within max_epochs."""
    units_got: int
    rows: int
    """Places in the stream, repeats included."""
    unused_rows: int
    """Rows in no pass."""
    tokens: int
    trained_tokens: int
    epochs: float
    """Units got over units available; of rows where there are no units."""


@dataclass(frozen=True)
class Mixture:
    """An ordered stream of (row, pass) over a pool, and the account of it."""

    rows: NDArray[np.int64]
    """Rows of the pool, in stream order."""
    passes: NDArray[np.int16]
    """Which pass over its group each place belongs to, from 0."""
    group_of: NDArray[np.int32]
    """The group each place belongs to, a place in ``groups``."""
    groups: tuple[GroupAmount, ...]
    notes: tuple[str, ...]
    """What the user should know: a lowered total, a ratio not reached, many repeats."""
    seed: int
    sha256: str
    """Of the stream: for each place the 16 octets of the row's id, then the pass as two octets, big-endian."""

    def __len__(self) -> int:
        """Returns the number of places in the stream."""
        return self.rows.size


def resolve(spec: MixSpec, index: MixIndex | RowIndex, seed: int | None = None) -> Mixture:
    """Resolves ``spec`` over the rows of an index; a pure function of the spec, the seed and the rows as a set.

    Within a group rows come by rank, and a second pass repeats the same order: rows of a smaller amount
    are a prefix of those of a larger one, and two uses of a row are as far apart as they can be. Give a `MixIndex` to
    resolve many mixtures over the same rows; ``seed`` is for a plain index.

    Raises:
        RecipeError: for an unknown group, numbers that leave a group unmentioned, or a ratio without domain rows.
    """
    if not isinstance(index, MixIndex):
        index = MixIndex(index, seed or 0)
    if not len(index):
        raise RecipeError("mix: there are no rows to mix; the stages and the split left none for training")
    amounts = decide_amounts(spec, index)
    taken = [_places(group, n, spec) for group, n in zip(amounts.groups, amounts.possible, strict=True)]
    flat = lay_out(amounts.groups, taken)
    order = _order(spec, index, amounts.groups, flat)
    rows, passes = index.rows[flat.rows[order]], flat.passes[order]
    table = _account(index, amounts, taken)
    digest = _stream_digest(index.ids, rows, passes)
    return Mixture(rows, passes, flat.group_of[order], table, amounts.notes, index.seed, digest)


def _order(spec: MixSpec, index: MixIndex, groups: Sequence[Group], flat: Places) -> NDArray[np.int64]:
    """Returns the places of the flat table in stream order."""
    if spec.order == "shuffle":
        return shuffled(index.ids[index.rows[flat.rows]], flat.passes, index.seed)
    units = None if spec.unit == "rows" else index.units(spec.unit)[flat.rows]
    if spec.order == "curriculum":
        return staged(spec, index, groups, flat, units)
    return mixed(flat.group_of, len(groups), units)


def _places(group: Group, asked: int, spec: MixSpec) -> int:
    """Returns how many rows, whole passes first, come nearest to ``asked`` units without exceeding ``max_epochs``."""
    if not group.total:
        return group.rows.size if spec.rule in ("proportional", "domain_to_general") else 0
    passes, rest = divmod(asked, group.total)
    if not rest:
        return passes * group.rows.size
    after = int(np.searchsorted(group.reached, rest, side="left"))
    short, over = rest - int(group.reached[after - 1]), int(group.reached[after]) - rest
    before = int(np.searchsorted(group.reached, group.reached[after - 1], side="left"))
    too_much = passes * group.total + int(group.reached[after]) > spec.max_epochs * group.total
    return passes * group.rows.size + (before if short <= over or too_much else after)


def _account(index: MixIndex, amounts: Amounts, taken: Sequence[int]) -> tuple[GroupAmount, ...]:
    got = [_sum_places(group.units, count) for group, count in zip(amounts.groups, taken, strict=True)]
    whole, wanted = sum(got), sum(amounts.asked)
    return tuple(
        GroupAmount(
            name=group.label,
            domain=group.domain,
            available_rows=group.available,
            available_units=group.total,
            share_asked=amounts.asked[k] / wanted if wanted else 0.0,
            share_got=got[k] / whole if whole else 0.0,
            units_asked=amounts.asked[k],
            units_possible=amounts.possible[k],
            units_got=got[k],
            rows=taken[k],
            unused_rows=group.available - min(taken[k], group.rows.size),
            tokens=_sum_places(index.n_tokens[group.rows], taken[k]),
            trained_tokens=_sum_places(index.n_trained[group.rows], taken[k]),
            epochs=got[k] / group.total if group.total else taken[k] / max(1, group.rows.size),
        )
        for k, group in enumerate(amounts.groups)
    )


def _sum_places(values: NDArray[np.int32] | NDArray[np.int64], count: int) -> int:
    """Sums the first ``count`` places of values repeated without end."""
    passes, rest = divmod(count, max(1, values.size))
    return passes * int(values.sum(dtype=np.int64)) + int(values[:rest].sum(dtype=np.int64))


def _stream_digest(ids: NDArray[np.uint64], rows: NDArray[np.int64], passes: NDArray[np.int16]) -> str:
    digest = hashlib.sha256()
    for start in range(0, rows.size, _HASHED_AT_ONCE):
        part = slice(start, start + _HASHED_AT_ONCE)
        record = np.empty(rows[part].size, dtype=[("high", ">u8"), ("low", ">u8"), ("pass", ">u2")])
        record["high"], record["low"] = ids[rows[part]].T
        record["pass"] = passes[part]
        digest.update(record.data)
    return digest.hexdigest()
