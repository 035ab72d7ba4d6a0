"""Resolves a mixture: amounts, ranked prefixes and whole passes of each group, in an order that is on-mix throughout."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.mixture.amounts import Amounts, decide_amounts
from curate.mixture.order import order_by_rows, order_by_units
from curate.mixture.rows import Group, RowIndex, group_names, ranked_groups
from curate.mixture.spec import MixSpec

_HASHED_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class GroupAmount:
    """What one group was asked for and what it got; ``unit_`` counts are in the unit of the spec."""

    name: str
    domain: bool
    available_rows: int
    available_units: int
    share_asked: float
    share_got: float
    units_asked: int
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
    """An ordered stream of (row, pass) over an index, and the account of it."""

    rows: NDArray[np.int64]
    """Rows of the index, in stream order."""
    passes: NDArray[np.int16]
    """Which pass over its group each place belongs to, from 0."""
    groups: tuple[GroupAmount, ...]
    notes: tuple[str, ...]
    """What the user should know: a lowered total, a ratio not reached, many repeats."""
    seed: int
    sha256: str
    """Of the stream: for each place the 16 octets of the row's id, then the pass as two octets, big-endian."""

    def __len__(self) -> int:
        """Returns the number of places in the stream."""
        return self.rows.size


def resolve(spec: MixSpec, index: RowIndex, seed: int) -> Mixture:
    """Resolves ``spec`` over the rows of ``index``; a pure function of the spec, the seed and the rows as a set.

    Within a group rows come by a seeded rank, and a second pass repeats the same order: rows of a smaller amount
    are a prefix of those of a larger one, and two uses of a row are as far apart as they can be.

    Raises:
        RecipeError: for an unknown group, weights that leave a group unmentioned, or a ratio without domain rows.
    """
    groups = ranked_groups(index, spec, seed)
    if not groups:
        raise RecipeError("mix: there are no rows to mix; the stages and the split left none for training")
    amounts = decide_amounts(spec, groups, group_names(index, spec))
    taken = [_places(group, asked, spec) for group, asked in zip(groups, amounts.units, strict=True)]
    places = [np.arange(count, dtype=np.int64) for count in taken]
    if spec.unit == "rows":
        chosen = order_by_rows(taken)
    else:
        chosen = order_by_units([group.units[at % group.rows.size] for group, at in zip(groups, places, strict=True)])
    rows, passes = np.empty(chosen.size, dtype=np.int64), np.empty(chosen.size, dtype=np.int16)
    for number, (group, at) in enumerate(zip(groups, places, strict=True)):
        mine = chosen == number
        rows[mine] = group.rows[at % group.rows.size]
        passes[mine] = at // group.rows.size
    table = _account(index, groups, amounts, taken)
    return Mixture(rows, passes, table, amounts.notes, seed, _stream_digest(index.ids, rows, passes))


def _places(group: Group, asked: int, spec: MixSpec) -> int:
    """Returns how many rows, whole passes first, come nearest to ``asked`` units without exceeding ``max_epochs``."""
    if not group.total:
        return group.rows.size if spec.weights is None else 0
    passes, rest = divmod(asked, group.total)
    if not rest:
        return passes * group.rows.size
    after = int(np.searchsorted(group.reached, rest, side="left"))
    short, over = rest - int(group.reached[after - 1]), int(group.reached[after]) - rest
    before = int(np.searchsorted(group.reached, group.reached[after - 1], side="left"))
    too_much = passes * group.total + int(group.reached[after]) > spec.max_epochs * group.total
    return passes * group.rows.size + (before if short <= over or too_much else after)


def _account(
    index: RowIndex, groups: Sequence[Group], amounts: Amounts, taken: Sequence[int]
) -> tuple[GroupAmount, ...]:
    got = [_sum_places(group.units, count) for group, count in zip(groups, taken, strict=True)]
    whole = sum(got)
    return tuple(
        GroupAmount(
            name=group.name,
            domain=group.domain,
            available_rows=group.rows.size,
            available_units=group.total,
            share_asked=amounts.shares[k],
            share_got=got[k] / whole if whole else 0.0,
            units_asked=amounts.units[k],
            units_got=got[k],
            rows=taken[k],
            unused_rows=max(0, group.rows.size - taken[k]),
            tokens=_sum_places(index.n_tokens[group.rows], taken[k]),
            trained_tokens=_sum_places(index.n_trained[group.rows], taken[k]),
            epochs=got[k] / group.total if group.total else taken[k] / group.rows.size,
        )
        for k, group in enumerate(groups)
    )


def _sum_places(values: NDArray[np.int32] | NDArray[np.int64], count: int) -> int:
    """Sums the first ``count`` places of values repeated without end."""
    passes, rest = divmod(count, values.size)
    return passes * int(values.sum(dtype=np.int64)) + int(values[:rest].sum(dtype=np.int64))


def _stream_digest(ids: NDArray[np.uint64], rows: NDArray[np.int64], passes: NDArray[np.int16]) -> str:
    digest = hashlib.sha256()
    for start in range(0, rows.size, _HASHED_AT_ONCE):
        part = slice(start, start + _HASHED_AT_ONCE)
        record = np.empty(rows[part].size, dtype=[("high", ">u8"), ("low", ">u8"), ("pass", ">u2")])
        record["high"], record["low"] = ids[rows[part]].T
        record["pass"] = passes[part]
        digest.update(record.tobytes())
    return digest.hexdigest()
