"""The job of a Select step: what its tasks share, where their files are, and how many of each there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.errors import StoreError
from curate.stage import Reference, Select
from curate.store import Artifact, RowsView, read_frame, read_json

ROWS_PER_BUCKET = 1_000_000
"""Rows whose digests are looked through at once for identical rows."""

KEYS_PER_BUCKET = 500_000
"""Keys that are matched at once, while that makes eight buckets or fewer."""

MOST_KEYS = 4_000_000
"""Keys that are matched at once in large data; about 24 bytes each, and 8 for a candidate, of which it has at most 16."""

MOST_FILTERED = 32_000_000
"""Rows whose bits a task can hold (32 bytes each); in larger data every pair that shares a key is compared."""

BYTES_PER_SHARE = 96 << 20
"""Features of the rows whose pairs are verified at once; their partners take about as much again."""

MAX_ROWS = 1 << 32


def same_buckets(rows: int) -> int:
    """Returns the number of buckets that the digests of so many rows are spread over."""
    return max(1, -(-rows // ROWS_PER_BUCKET))


def key_buckets(stage: Select, rows: int) -> int:
    """Returns the number of buckets that the keys of so many rows are spread over; none when the stage has no keys."""
    keys = rows * stage.keys_per_row
    return min(-(-keys // KEYS_PER_BUCKET), max(8, -(-keys // MOST_KEYS)))


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
    ranked: bool = False
    """True when keep order is not the order of the data."""
    earlier: int = 0
    """Places below this are rows of earlier releases."""
    fixed: int = 0
    """Places below this are never dropped: rows of earlier releases, then protected ones."""
    shares: int = 1

    def at(self, part: int = 0) -> Job:
        """Returns the job as a task needs it that reads the rows of one part at most, so that tasks stay small."""
        return replace(self, view=self.view.alone(min(part, len(self.view) - 1)))

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
        accounts = [read_json(self.account(part, "sketch")) for part in range(self.parts)]
        base = np.cumsum([0, *(a["rows"] for a in accounts)])
        if base[-1] >= MAX_ROWS:
            raise StoreError(f"{int(base[-1]):,} rows are too many to compare in one step; split the recipe by source")
        weight = sum(a["weight"] for a in accounts)
        return replace(
            self,
            base=tuple(int(b) for b in base),
            ranked=bool(self.references) or any(a["ranked"] for a in accounts),
            earlier=int(base[-1] - base[len(self.view)]),
            fixed=int(base[-1] - base[len(self.view)]) + sum(a["protected"] for a in accounts),
            shares=max(1, -(-weight // BYTES_PER_SHARE)),
        )

    def places(self) -> NDArray[np.uint32]:
        """Returns the place of every node."""
        return self._order("places")

    def nodes_in_order(self) -> NDArray[np.uint32]:
        """Returns the node at every place."""
        return self._order("nodes")

    def _order(self, kind: str) -> NDArray[np.uint32]:
        if not self.ranked:
            return np.arange(self.nodes, dtype=np.uint32)
        found: NDArray[np.uint32] = read_frame(self.part(0, kind))["value"].to_numpy()
        return found

    def bits(self) -> NDArray[np.uint64]:
        """Returns the bits of the row at every place (uint64[nodes, words]), or no words where there is no filter."""
        if not self.stage.bit_words or self.nodes > MOST_FILTERED:
            return np.empty((self.nodes, 0), np.uint64)
        names = [f"bits-{word}" for word in range(self.stage.bit_words)]
        found = np.empty((self.nodes, len(names)), np.uint64)
        for part in range(self.parts):
            frame = read_frame(self.part(part, "sketch"), names)
            for word, name in enumerate(names):
                found[self.base[part] : self.base[part + 1], word] = frame[name].to_numpy()
        return found[self.nodes_in_order()] if self.ranked else found

    def part_of(self, nodes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Returns the part of each node."""
        return np.searchsorted(np.array(self.base), nodes, side="right") - 1
