"""The job of a Select step: what its tasks share, where their files are, and how many of each there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.errors import StoreError
from curate.stage import Reference, Select
from curate.store import Artifact, RowsView, read_frame, read_json

ROWS_PER_BUCKET = 1_000_000
"""Rows whose digests are looked through at once for identical rows, while that makes eight buckets or fewer."""

MOST_ROWS = 8_000_000
"""Rows whose digests are looked through at once in large data."""

KEYS_PER_BUCKET = 500_000
"""Keys that are matched at once, while that makes eight buckets or fewer."""

MOST_KEYS = 4_000_000
"""Keys that are matched at once in large data; about 24 bytes each, and 8 for a candidate, of which it has at most 16."""

MOST_FILTERED = 32_000_000
"""Rows whose bits a task can hold (32 bytes each); in larger data every pair that shares a key is compared."""

BYTES_PER_SHARE = 256 << 20
"""Features of the rows whose pairs are verified at once, while that makes 64 shares or fewer; their partners take about
as much again."""

MOST_BYTES = 512 << 20
"""Features of the rows whose pairs are verified at once in large data."""

MOST_LOOSE = 4096
"""Parts that are sketched each by a task of its own; of more, neighbours go together, or a bucket would be read from
millions of slices."""

TOGETHER = 64
"""Parts in a bundle of large data."""

SURVEYED = 16
"""Parts of a source that are surveyed when it has more, evenly spaced: what most rows share shows in any of them."""

MAX_ROWS = 1 << 32


def same_buckets(rows: int) -> int:
    """Returns the number of buckets that the digests of so many rows are spread over."""
    return max(1, min(-(-rows // ROWS_PER_BUCKET), max(8, -(-rows // MOST_ROWS))))


def together(parts: int) -> int:
    """Returns how many neighbouring parts are a bundle when there are so many parts."""
    return TOGETHER if parts > MOST_LOOSE else 1


def shares_of(weight: int) -> int:
    """Returns into how many shares the pairs of rows are cut whose features weigh so many bytes."""
    return max(1, min(-(-weight // BYTES_PER_SHARE), max(64, -(-weight // MOST_BYTES))))


def key_buckets(stage: Select, rows: int) -> int:
    """Returns the number of buckets that the keys of so many rows are spread over; none when the stage has no keys."""
    keys = rows * stage.keys_per_row
    return min(-(-keys // KEYS_PER_BUCKET), max(8, -(-keys // MOST_KEYS)))


def surveyed(view: RowsView) -> list[int]:
    """Returns the parts of a view that are surveyed."""
    found: list[int] = []
    for _, mine in groupby(range(len(view)), key=lambda part: view.parts[part].folder):
        parts = list(mine)
        most = min(len(parts), SURVEYED)
        found += [parts[len(parts) * number // most] for number in range(most)]
    return found


@dataclass(frozen=True)
class Job:
    """A Select over the parts of a view, and the folder it works in."""

    stage: Select
    view: RowsView
    artifact: Artifact
    rows: int
    """Rows of the view and of earlier releases; the number of buckets depends on it."""
    references: tuple[Reference, ...] = ()
    """Parts of earlier releases; they are numbered after those of the view."""
    base: tuple[int, ...] = (0,)
    """The first node of each part, and the number of nodes; known once all is sketched."""
    sparse: bool = False
    """True when some rows have nothing to compare, or are not seen by the stage."""
    ranked: bool = False
    """True when keep order is not the order of the data."""
    earlier: int = 0
    """Places below this are rows of earlier releases."""
    fixed: int = 0
    """Places below this are never dropped: rows of earlier releases, then protected ones."""
    shares: int = 1
    found: Artifact | None = None
    """Where the pairs lie that a Select that decides goes by."""

    def at(self, part: int = 0) -> Job:
        """Returns the job as a task needs it that reads the rows of one part at most, so that tasks stay small."""
        return replace(self, view=self.view.some(min(part, len(self.view) - 1)))

    def at_bundle(self, bundle: int) -> Job:
        """Returns the job as a task needs it that reads the rows of one bundle."""
        parts = [part for part in self.bundle(bundle) if part < len(self.view)]
        return replace(self, view=self.view.some(parts[0], len(parts))) if parts else self.at()

    @property
    def bundles(self) -> int:
        """The number of bundles: runs of parts whose sketches are sliced together."""
        return -(-self.parts // self._together)

    def bundle(self, index: int) -> range:
        """Returns the parts of a bundle."""
        return range(index * self._together, min(self.parts, (index + 1) * self._together))

    @property
    def _together(self) -> int:
        return together(self.parts)

    @property
    def parts(self) -> int:
        """The number of parts, those of earlier releases included."""
        return len(self.view) + len(self.references)

    @property
    def own(self) -> int:
        """The number of nodes of this run; those of earlier releases follow."""
        return self.base[len(self.view)]

    @property
    def nodes(self) -> int:
        """The number of rows that were sketched."""
        return self.base[-1]

    @property
    def same_buckets(self) -> int:
        """The number of buckets of digests."""
        return same_buckets(self.rows)

    @property
    def key_buckets(self) -> int:
        """The number of buckets of keys."""
        return key_buckets(self.stage, self.rows)

    def part(self, index: int, kind: str) -> Path:
        """Returns the path of a file that is deleted when the step is done."""
        return self.artifact.part(index, f"work/{kind}")

    def account(self, index: int, kind: str) -> Path:
        """Returns the path of what a task counted; where there is one, it is written last."""
        return self.part(index, kind).with_suffix(".json")

    def learned(self) -> pl.DataFrame | None:
        """Returns what the stage learned from its survey."""
        return read_frame(self.part(0, "learned")) if self.stage.surveys else None

    def placed(self) -> Job:
        """Returns the job with what the sketches' accounts say.

        Raises:
            StoreError: for more rows than can be numbered.
        """
        accounts = [read_json(self.account(bundle, "sketch")) for bundle in range(self.bundles)]
        base = np.cumsum([0, *(rows for a in accounts for rows in a["rows"])])
        if base[-1] >= MAX_ROWS:
            raise StoreError(f"{int(base[-1]):,} rows are too many to compare in one step; split the recipe by source")
        weight = sum(a["weight"] for a in accounts)
        return replace(
            self,
            base=tuple(int(b) for b in base),
            sparse=any(a["left_out"] for a in accounts),
            ranked=bool(self.references) or any(a["ranked"] for a in accounts),
            earlier=int(base[-1] - base[len(self.view)]),
            fixed=int(base[-1] - base[len(self.view)]) + sum(a["protected"] for a in accounts),
            shares=shares_of(weight),
        )

    def places_of(self, nodes: NDArray[Any]) -> NDArray[np.uint32]:
        """Returns the places of some nodes."""
        return self._looked_up("places", nodes)

    def nodes_at(self, places: NDArray[Any]) -> NDArray[np.uint32]:
        """Returns the nodes at some places."""
        return self._looked_up("nodes", places)

    def _looked_up(self, kind: str, at: NDArray[Any]) -> NDArray[np.uint32]:
        if not self.ranked:
            return at.astype(np.uint32)
        found: NDArray[np.uint32] = read_frame(self.part(0, kind))["value"].to_numpy()[at]
        return found

    @property
    def filters(self) -> bool:
        """True when the bits of all rows can be held, to leave out pairs that can't be alike."""
        return self.stage.bit_words > 0 and self.nodes <= MOST_FILTERED

    def bits(self) -> NDArray[np.uint64]:
        """Returns the bits of the row at every place (uint64[nodes, words]), or no words where there is no filter."""
        words = self.stage.bit_words if self.filters else 0
        flat = read_frame(self.part(0, "bits"))["bits"].to_numpy() if words else np.empty(0, np.uint64)
        found: NDArray[np.uint64] = flat.reshape(self.nodes, words)
        return found

    def part_of(self, nodes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Returns the part of each node."""
        return np.searchsorted(np.array(self.base), nodes, side="right") - 1

    def bundle_of(self, nodes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Returns the bundle of each node."""
        return self.part_of(nodes) // self._together

    def starts(self, bundle: int) -> int:
        """Returns the first node of a bundle."""
        return self.base[self.bundle(bundle).start]
