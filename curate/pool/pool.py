"""Opens the parts of a pool and copies out the tokens of any rows, in any order."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import bits_of, numbers_of
from curate.errors import StoreError
from curate.pool.index import PoolIndex, build_index
from curate.pool.kernels import Ragged, span_copier
from curate.pool.parts import map_part
from curate.shards.documents import Documents

RESIDENT_BYTES = 512 << 20
"""A pool up to this size stays mapped as it is read; of a larger one only the part being read does."""


class Pool:
    """Mapped parts, addressed by row number in the order of the parts."""

    def __init__(self, batches: Sequence[pa.RecordBatch], maps: Sequence[mmap.mmap] = ()) -> None:
        self.batches = tuple(batches)
        """Mapped record batches, in row order."""
        self._maps = tuple(maps)
        self._releases = sum(len(mapped) for mapped in set(maps)) > RESIDENT_BYTES
        counts = [batch.num_rows for batch in self.batches]
        self._starts = np.cumsum([0, *counts], dtype=np.int64)

    @classmethod
    def open(cls, parts: Sequence[Path]) -> Pool:
        """Maps Arrow IPC parts (file or stream form), in the order given.

        Raises:
            StoreError: when a part is missing, damaged or has other columns.
        """
        mapped = [map_part(path) for path in parts]
        return cls(
            [batch for _, batches in mapped for batch in batches], [part for part, batches in mapped for _ in batches]
        )

    def __len__(self) -> int:
        """Returns the number of rows."""
        return int(self._starts[-1])

    @cached_property
    def index(self) -> PoolIndex:
        """The light columns of every row, read once."""
        index = build_index(self.batches)
        for number in range(len(self.batches)):
            self._release(number)
        return index

    def column(self, name: str) -> pa.ChunkedArray | None:
        """Returns another light column of every row, such as a score of a stage; None when no stage wrote it."""
        if not self.batches or any(name not in batch.schema.names for batch in self.batches):
            return None
        return pa.chunked_array([batch.column(name) for batch in self.batches])

    def _release(self, number: int) -> None:
        """Takes a part's pages out of this process's memory; they stay in the page cache and map again when read."""
        if self._releases:
            self._maps[number].madvise(mmap.MADV_DONTNEED)

    @property
    def n_tokens(self) -> NDArray[np.int32]:
        """Tokens of each row."""
        return self.index.n_tokens

    @property
    def n_trained(self) -> NDArray[np.int32]:
        """Trained tokens of each row."""
        return self.index.n_trained

    def gather(self, rows: NDArray[np.int64]) -> Documents:
        """Copies the tokens of ``rows``, in that order, into new flat buffers; reads each part front to back.

        Memory is 8 bytes a token. Raises IndexError when there is no such row, StoreError for
        a row whose token columns contradict its length.
        """
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"no row {rows.min()} or {rows.max()}; the pool has {len(self)} rows")
        offsets = np.concatenate([[0], np.cumsum(self.n_tokens[rows], dtype=np.int64)])
        input_ids, labels = np.empty((2, offsets[-1]), dtype=np.int32)
        copy_spans = span_copier()
        by_place = np.argsort(rows, kind="stable")
        edges = np.searchsorted(rows[by_place], self._starts)
        for number in np.flatnonzero(np.diff(edges)):
            mine = by_place[edges[number] : edges[number + 1]]
            local = rows[mine] - self._starts[number]
            tokens, mask = (self._ragged(int(number), name, rows[mine]) for name in ("input_ids", "loss_mask"))
            copy_spans(tokens, mask, local, offsets[mine], input_ids, labels)
            self._release(int(number))
        return Documents(input_ids, labels, offsets, self.index.ids[rows], self.index.source[rows])

    def _ragged(self, number: int, name: str, rows: NDArray[np.int64]) -> Ragged:
        """Returns a list column of a part, of which these rows of the pool will be read."""
        column = self.batches[number].column(name)
        offsets, local = numbers_of(column.offsets), rows - self._starts[number]
        if (offsets[local + 1] - offsets[local] != self.n_tokens[rows]).any():
            raise StoreError(f"the pool has a row whose {name} isn't n_tokens long; tokenize again")
        if pa.types.is_boolean(column.values.type):
            return Ragged(bits_of(column.values), offsets + column.values.offset)
        return Ragged(numbers_of(column.values), offsets)
