"""The rows mixtures choose from, ranked once: any number of mixtures is resolved over one index.

pool columns ─► MixIndex (ranked rows, group codes) ─┬─► resolve(spec A)
└─► resolve(spec B)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.mixture.rules import By, GroupMax
from curate.mixture.spec import MixSpec, Unit
from curate.ranks import keyed_ranks_of

Rows = NDArray[np.int64]
Codes = NDArray[np.integer[Any]]

MISSING = {"language": "unknown", "primary_tag": "untagged"}
"""What rows without a value count as."""


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

    label: str
    domain: bool
    """Whether all of these are domain rows."""
    rows: Rows
    """Places in the index, by rank; those beyond a quota are not among them."""
    available: int
    """Rows of the group, those beyond a quota among them."""
    units: NDArray[np.int64]
    reached: NDArray[np.int64]
    """Cumulative units, starting at 0: one more entry than rows."""

    @property
    def total(self) -> int:
        """Units of one whole pass."""
        return int(self.reached[-1])


class MixIndex:
    """The rows of a pool that may be trained, with what a mixture needs to know of them; ranks are computed once."""

    def __init__(
        self,
        index: RowIndex,
        seed: int,
        rows: Rows | None = None,
        column: Callable[[str], pa.ChunkedArray | None] | None = None,
    ) -> None:
        """Takes the ``rows`` of ``index`` (default: all); ``column`` reads another column of the whole pool by name."""
        self.seed, self._index, self._column = seed, index, column
        self._all = rows is None or rows.size == len(index.ids)
        self.rows: Rows = np.arange(len(index.ids), dtype=np.int64) if rows is None else rows
        """The pool row of each place."""
        self.ids, self.source_names, self.ability_names = index.ids, index.source_names, index.ability_names
        self.n_tokens: NDArray[np.int32] = self._mine(index.n_tokens)
        self.n_trained: NDArray[np.int32] = self._mine(index.n_trained)
        self.domain: NDArray[np.bool_] = self._mine(index.domain)
        self._codes: dict[str, tuple[Codes, tuple[str, ...]]] = {}
        self._ranked: dict[tuple[str | None, str], Rows] = {}

    def __len__(self) -> int:
        """Returns the number of rows."""
        return self.rows.size

    def units(self, unit: Unit) -> NDArray[np.int64]:
        """Returns what each row counts for."""
        if unit == "rows":
            return np.ones(len(self), dtype=np.int64)
        return (self.n_tokens if unit == "tokens" else self.n_trained).astype(np.int64)

    def codes(self, by: By) -> tuple[Codes, tuple[str, ...]]:
        """Returns the group code of each row under a grouping, and the names of the groups.

        Raises:
            RecipeError: when the rows carry no such column.
        """
        if by not in self._codes:
            self._codes[by] = self._read_codes(by)
        return self._codes[by]

    def _read_codes(self, by: By) -> tuple[Codes, tuple[str, ...]]:
        if by == "domain":
            return self.domain.astype(np.int16), ("general", "domain")
        if by in ("ability", "source"):
            return self._mine(getattr(self._index, by)), getattr(self, f"{by}_names")
        return encode(self._read(by, f"mix: `by: {by}`").fill_null(MISSING[by]), self._mine)

    def _read(self, name: str, wanted: str) -> pa.ChunkedArray:
        found = self._column(name) if self._column else None
        if found is None:
            raise RecipeError(f"{wanted} needs the column {name!r}, and no stage wrote it")
        return found

    def _mine(self, values: Any) -> Any:
        return values if self._all else values[self.rows]

    def ranked(self, spec: MixSpec) -> Rows:
        """Returns the places of the index in rank order.

        A row's rank is a hash keyed by seed and ability, of its id alone: not of other rows, files or budgets. A column
        named by ``rank_by`` comes before it, rows without a value last; equal ranks fall back on the id.
        """
        key = (spec.rank_by, spec.rank_first)
        if key not in self._ranked:
            self._ranked[key] = self._rank(spec)
        return self._ranked[key]

    def _rank(self, spec: MixSpec) -> Rows:
        ids = self._mine(self.ids)
        abilities, names = self.codes("ability")
        hashed = keyed_ranks_of(ids, self.seed, names, abilities)
        if spec.rank_by is not None:
            return np.lexsort((ids[:, 1], ids[:, 0], hashed, self._score(spec))).astype(np.int64)
        order = np.argsort(hashed)
        if (np.diff(hashed[order]) == 0).any():
            order = np.lexsort((ids[:, 1], ids[:, 0], hashed))
        return order.astype(np.int64, copy=False)

    def _score(self, spec: MixSpec) -> NDArray[np.float64]:
        """Returns the values of ``rank_by``, the first to be taken lowest; a missing one is taken last."""
        found = self._read(str(spec.rank_by), "mix.rank_by")
        if not (pa.types.is_integer(found.type) or pa.types.is_floating(found.type)):
            raise RecipeError(f"mix.rank_by: the column {spec.rank_by!r} holds {found.type}, not numbers")
        values: NDArray[np.float64] = self._mine(found.cast(pa.float64(), safe=False).to_numpy())
        values = values if spec.rank_first == "lowest" else -values
        return np.where(np.isnan(values), np.inf, values)


def encode(values: pa.ChunkedArray, mine: Callable[[Any], Any]) -> tuple[Codes, tuple[str, ...]]:
    """Returns codes into alphabetical names for a column of strings; ``mine`` picks the rows meant."""
    encoded = values.dictionary_encode().combine_chunks()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda k: str(names[k]))
    place = np.empty(len(names), dtype=np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    return mine(place[encoded.indices.to_numpy()]), tuple(names[k] for k in order)


def grouped(ranked: Rows, codes: Codes) -> Iterator[tuple[int, Rows]]:
    """Yields (code, places in rank order) for each code that has places."""
    mine = codes[ranked]
    order = ranked[np.argsort(mine, kind="stable")]
    counts = np.bincount(mine)
    ends = np.cumsum(counts)
    for code in np.flatnonzero(counts).tolist():
        yield code, order[ends[code] - counts[code] : ends[code]]


def make_group(index: MixIndex, label: str, places: Rows, units: NDArray[np.int64], quota: GroupMax | None) -> Group:
    """Returns a group of ranked places, cut to its quota."""
    available = places.size
    if quota is not None:
        places = places[_within(index, places, quota)]
    taken = units[places]
    reached = np.concatenate([[0], np.cumsum(taken, dtype=np.int64)])
    return Group(label, bool(index.domain[places].all()), places, available, taken, reached)


def _within(index: MixIndex, places: Rows, quota: GroupMax) -> NDArray[np.bool_]:
    """Returns which ranked places stay within the quota of what they count towards."""
    counted = index.units(quota.unit)[places]
    if quota.by is None:
        return np.cumsum(counted) <= quota.most
    codes = index.codes(quota.by)[0][places]
    order = np.argsort(codes, kind="stable")
    sums = np.cumsum(counted[order])
    starts = np.searchsorted(codes[order], codes[order], side="left")
    inside = sums - (sums[starts] - counted[order][starts]) <= quota.most
    kept = np.empty(places.size, dtype=np.bool_)
    kept[order] = inside
    return kept
