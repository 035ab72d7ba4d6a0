"""The rows view: ingested parts seen through the deltas of the steps after them.

A step stores only what it changes: its ledger says which rows went, its part file holds replaced rows (an Edit) or
new columns (a Score). A reader applies the deltas part by part, by position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.arrow import frame_of, rows_at
from curate.arrow_rows import ArrowRows
from curate.rows import CHAT_FIELDS
from curate.store.parts import read_frame, read_table

Places = NDArray[np.integer]
_PLACE = ""
"""A column no stage can write."""


@dataclass(frozen=True)
class BasePart:
    """One ingested part: the folder of its step and the part's name."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """The part's file."""
        return self.folder / f"{self.name}.arrow"

    def read(self) -> pl.DataFrame:
        """Returns the rows, with ids of repeated content put right and each row a group of its own."""
        return self._named(read_frame(self.path))

    def arrow(self, at: Places | None = None) -> ArrowRows:
        """Returns the rows, or those ``at`` some rising positions, their turns not copied."""
        table = read_table(self.path) if at is None else rows_at(read_table(self.path), at)
        labels = self._named(frame_of(table.drop_columns(list(CHAT_FIELDS))), at)
        return ArrowRows(tuple(table.column_names), labels, table.select(CHAT_FIELDS), np.arange(labels.height))

    def _named(self, rows: pl.DataFrame, at: Places | None = None) -> pl.DataFrame:
        repeats = self.folder / "repeats" / f"{self.name}.arrow"
        if repeats.is_file():
            again = read_frame(repeats)
            if at is not None:
                again = _found(again, at)
            rows = rows.with_columns(rows["id"].scatter(again["row"], again["id"]))
        return rows.with_columns(group="id")


def _found(named: pl.DataFrame, at: Places) -> pl.DataFrame:
    """Returns the lines of rows ``at`` some rising positions, ``row`` being the number of its position."""
    number = pl.DataFrame({"row": at, "number": np.arange(at.size)}).cast(pl.UInt32)
    return named.join(number, on="row", how="inner", maintain_order="left").with_columns(row="number")


@dataclass(frozen=True)
class RowsView:
    """All rows after some step: base parts in order, and the delta folders to apply, in order."""

    parts: tuple[BasePart, ...]
    deltas: tuple[Path, ...] = ()
    only: tuple[int, int] | None = None
    """For a view of some neighbouring parts: the number of the first, and how many there are in all."""

    def __len__(self) -> int:
        """Returns the number of parts."""
        return self.only[1] if self.only else len(self.parts)

    def some(self, index: int, number: int = 1) -> RowsView:
        """Returns the view as a task on some parts needs it: what travels to a worker must not grow with the data."""
        return RowsView(self.parts[index : index + number], self.deltas, (index, len(self)))

    def read(self, index: int) -> pl.DataFrame:
        """Returns the rows of one part."""
        return self._through(self._base(index).read(), index)

    def arrow(self, index: int) -> ArrowRows:
        """Returns the rows of one part, their turns not copied unless a step has replaced some."""
        if any(_patch(folder, index).is_file() for folder in self.deltas):
            return ArrowRows.of(self.read(index))
        stored = self._base(index).arrow()
        labels = self._through(stored.labels.with_columns(pl.int_range(pl.len()).alias(_PLACE)), index)
        places, labels = labels[_PLACE].to_numpy(), labels.drop(_PLACE)
        return ArrowRows(tuple(dict.fromkeys((*stored.names, *labels.columns))), labels, stored.turns, places)

    def arrow_at(self, index: int, at: Places) -> ArrowRows:
        """Returns the rows of one part at some rising positions; few are read without the others."""
        return self.arrow(index).at(at) if self.deltas else self._base(index).arrow(at)

    def _base(self, index: int) -> BasePart:
        return self.parts[index - (self.only[0] if self.only else 0)]

    def _through(self, rows: pl.DataFrame, index: int) -> pl.DataFrame:
        for folder in self.deltas:
            rows = apply_stored(rows, folder, index)
        return rows

    def without(self, folders: Sequence[Path]) -> RowsView:
        """Returns the view without the deltas in some folders."""
        return RowsView(self.parts, tuple(delta for delta in self.deltas if delta not in folders), self.only)

    def through(self, folder: Path) -> RowsView:
        """Returns the view with one more delta."""
        return RowsView(self.parts, (*self.deltas, folder), self.only)


def _patch(folder: Path, index: int) -> Path:
    return folder / f"part-{index:05d}.arrow"


def apply_stored(rows: pl.DataFrame, folder: Path, index: int) -> pl.DataFrame:
    """Applies one step's stored delta to the rows of a part."""
    ledger = read_frame(folder / "ledger" / f"part-{index:05d}.arrow")
    patch = _patch(folder, index)
    columns = folder / "columns" / f"part-{index:05d}.arrow"
    return apply_delta(
        rows,
        ledger,
        read_frame(patch) if patch.is_file() else None,
        read_frame(columns) if columns.is_file() else None,
    )


def apply_delta(
    rows: pl.DataFrame, ledger: pl.DataFrame, patch: pl.DataFrame | None, columns: pl.DataFrame | None
) -> pl.DataFrame:
    """Returns the rows after a step.

    ``columns`` has a value for each row; ``patch`` holds replacement rows with the position they replace in ``row``
    (a position twice or more: its children); lines of the ledger with action drop or quarantine take rows away.
    """
    if columns is not None:
        rows = rows.with_columns(columns)
    gone = ledger.filter(pl.col("action").is_in(["drop", "quarantine"]))["row"]
    if patch is None or patch.is_empty():
        return _without(rows, gone) if len(gone) else rows
    kept = _without(rows.with_row_index("row"), pl.concat([gone, patch["row"]]))
    merged = pl.concat([kept.with_columns(pl.col("row").cast(pl.UInt32)), patch.select(kept.columns)])
    return merged.sort("row", maintain_order=True).drop("row")


def _without(rows: pl.DataFrame, positions: pl.Series) -> pl.DataFrame:
    keep = pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True)
    return rows.filter(keep.scatter(positions.unique(), False))
