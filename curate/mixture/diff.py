"""What changed between two mixtures: places added and removed in each group, and whether any row was swapped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

_ROW = ["high", "low"]
_PLACE = [*_ROW, "pass"]


@dataclass(frozen=True)
class Stream:
    """The places of a mixture with what a comparison needs to know of each."""

    ids: NDArray[np.uint64]
    """Row ids, uint64[n, 2]."""
    passes: NDArray[np.int16]
    ability: NDArray[np.int16]
    ability_names: tuple[str, ...]
    n_trained: NDArray[np.int32]
    sha256: str

    def frame(self) -> pl.DataFrame:
        """Returns one line a place."""
        names = pl.Series("ability", self.ability_names, dtype=pl.String)
        return pl.DataFrame(
            {
                "high": self.ids[:, 0],
                "low": self.ids[:, 1],
                "pass": self.passes,
                "ability": names.gather(self.ability.astype(np.uint32)),
                "trained": self.n_trained.astype(np.int64),
            }
        )


@dataclass(frozen=True)
class Change:
    """How one ability changed: places (rows with their pass) and trained tokens."""

    ability: str
    before: int
    after: int
    added: int
    removed: int
    trained_added: int
    trained_removed: int
    new_rows: int
    """Rows that were in no pass before."""
    lost_rows: int
    """Rows that are in no pass any more."""

    @property
    def swapped(self) -> int:
        """Rows that came in where others went out; zero where the rows of one are part of those of the other."""
        return min(self.new_rows, self.lost_rows)


def compare(before: Stream, after: Stream) -> list[Change]:
    """Returns the change of each ability of either mixture, by name."""
    one, other = before.frame(), after.frame()
    sides = {
        "before": one,
        "after": other,
        "added": other.join(one, on=_PLACE, how="anti"),
        "removed": one.join(other, on=_PLACE, how="anti"),
    }
    rows = {side: dict(_tally(frame, pl.len())) for side, frame in sides.items()}
    trained = {side: dict(_tally(sides[side], pl.col("trained").sum())) for side in ("added", "removed")}
    only = {
        "new_rows": other.unique(_ROW).join(one, on=_ROW, how="anti"),
        "lost_rows": one.unique(_ROW).join(other, on=_ROW, how="anti"),
    }
    distinct = {side: dict(_tally(frame, pl.len())) for side, frame in only.items()}
    return [
        Change(
            ability=name,
            **{side: rows[side].get(name, 0) for side in sides},
            trained_added=trained["added"].get(name, 0),
            trained_removed=trained["removed"].get(name, 0),
            **{side: distinct[side].get(name, 0) for side in only},
        )
        for name in sorted({*rows["before"], *rows["after"]})
    ]


def _tally(frame: pl.DataFrame, number: pl.Expr) -> Iterator[tuple[str, int]]:
    yield from frame.group_by("ability").agg(number.alias("number")).iter_rows()


def summary(changes: list[Change], before: Stream, after: Stream) -> str:
    """Returns one sentence on the whole change."""
    if before.sha256 == after.sha256:
        return "one and the same stream"
    added, removed = sum(c.added for c in changes), sum(c.removed for c in changes)
    if not added and not removed:
        return "the same rows in another order"
    swapped = [f"{c.ability} {c.swapped:,}" for c in changes if c.swapped]
    told = (
        f"swapped: {', '.join(swapped)}"
        if swapped
        else "none swapped: in each ability the smaller is part of the larger"
    )
    return f"{added:,} places added, {removed:,} removed, {told}"
