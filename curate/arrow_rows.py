"""Rows whose turns are Arrow's: polars keeps texts in another form, and there and back copies them twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import fields_of, frame_of, one_chunk, rows_at, series_of, table_of
from curate.rows import CHAT_FIELDS


@dataclass(frozen=True)
class ArrowRows:
    """Some rows: their columns of messages as Arrow has them, the others as a frame."""

    names: tuple[str, ...]
    """All columns, in order."""
    labels: pl.DataFrame
    turns: pa.Table
    """The columns of messages; other rows may lie between those meant."""
    places: NDArray[np.int64]
    """Where in ``turns`` each row lies."""

    @classmethod
    def of(cls, rows: pl.DataFrame) -> ArrowRows:
        """Returns the rows of a frame."""
        fields = [name for name in CHAT_FIELDS if name in rows.columns]
        return cls(tuple(rows.columns), rows.drop(fields), table_of(rows.select(fields)), np.arange(rows.height))

    def with_turns(self, field: str, lists: pa.LargeListArray) -> ArrowRows:
        """Returns the rows with other messages in a column, one list for each of the rows in ``turns``."""
        return replace(self, turns=self.turns.set_column(self.turns.column_names.index(field), field, lists))

    @classmethod
    def joined(cls, pieces: Sequence[ArrowRows]) -> ArrowRows:
        """Returns the rows of some pieces with the same columns, one behind the other."""
        starts = np.cumsum([0, *(piece.turns.num_rows for piece in pieces)])
        return cls(
            pieces[0].names,
            pl.concat([piece.labels for piece in pieces]),
            pa.concat_tables([piece.turns for piece in pieces]),
            np.concatenate([piece.places + start for piece, start in zip(pieces, starts, strict=False)]),
        )

    def __len__(self) -> int:
        """Returns how many rows there are."""
        return self.labels.height

    def __getitem__(self, name: str) -> pl.Series:
        """Returns a column as a series."""
        return self.labels[name] if name in self.labels.columns else series_of(one_chunk(self._turns[name])).alias(name)

    def holds(self, name: str) -> bool:
        """True when a column has a value for some row."""
        column = self._turns[name] if name in self.turns.column_names else self.labels[name]
        nulls = column.null_count if isinstance(column, pa.ChunkedArray) else column.null_count()
        return bool(nulls < len(self))

    def lists(self, field: str) -> tuple[NDArray[np.int64], dict[str, pa.Array]]:
        """Returns the messages in a column as `curate.arrow.lists_of` does, over the same memory."""
        return fields_of(one_chunk(self._turns[field]))

    def at(self, places: NDArray[np.integer]) -> ArrowRows:
        """Returns some of the rows."""
        return ArrowRows(self.names, self.labels[places], self.turns, self.places[places])

    def frame(self) -> pl.DataFrame:
        """Returns the rows as a frame."""
        turns = frame_of(self._turns).get_columns()
        return self.labels.with_columns(turns).select(self.names)

    def table(self) -> pa.Table:
        """Returns the rows as a table in one piece, with 64-bit lists and strings."""
        columns = {name: table[name] for table in (table_of(self.labels), self._turns) for name in table.column_names}
        return pa.table({name: columns[name] for name in self.names}).combine_chunks()

    @cached_property
    def _turns(self) -> pa.Table:
        """The columns of messages of these rows alone."""
        whole = not self.turns.num_columns or self.places.size == self.turns.num_rows
        return self.turns if whole else rows_at(self.turns, self.places)
