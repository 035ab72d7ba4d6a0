"""Packed sequences read straight from the pool: what a shard holds, without writing it.

    pool + rows of a mixture + bounds of a pack plan ─► PackedView ─► the same sequences as the shards of that mixture

Any number of views stand on one mapped pool; each is two arrays of integers, and a sequence copies only its own tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.pool.pool import Pool
from curate.shards import PackedBatch, PackedSequence
from curate.shards.ids import hex_from_ids


class PackedView:
    """Random access to the sequences of a pack plan, by number; reads like a `ShardReader`."""

    def __init__(self, pool: Pool, rows: NDArray[np.int64], bounds: NDArray[np.int64]) -> None:
        """Sequence ``s`` is the pool's rows ``rows[bounds[s]:bounds[s + 1]]``."""
        self.pool, self.rows, self.bounds = pool, rows, bounds

    def __len__(self) -> int:
        """Returns the number of sequences."""
        return self.bounds.size - 1

    @property
    def tokens(self) -> int:
        """Tokens of all sequences."""
        return int(self.pool.n_tokens[self.rows].sum(dtype=np.int64))

    def read(self, index: int) -> PackedSequence:
        """Returns sequence ``index``; raises IndexError when there is none."""
        batch = self.batch([index])
        return PackedSequence(batch.input_ids, batch.labels, batch.seq_lengths, batch.source_ids)

    def batch(self, indices: Sequence[int] | NDArray[np.int64]) -> PackedBatch:
        """Returns sequences laid end to end in the order asked for; raises IndexError for one that is not there."""
        wanted = np.asarray(indices, dtype=np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"no sequence {wanted.min()} or {wanted.max()}; there are {len(self)}")
        counts = self.bounds[wanted + 1] - self.bounds[wanted]
        ends = np.cumsum(counts)
        inside = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        documents = self.pool.gather(self.rows[np.repeat(self.bounds[wanted], counts) + inside])
        lengths = np.diff(documents.offsets).astype(np.int32)
        return PackedBatch(documents.input_ids, documents.labels, lengths, documents.source_ids, counts)

    def doc_ids(self, index: int) -> list[str]:
        """Returns the row ids of the documents in sequence ``index``."""
        rows = self.rows[self.bounds[index] : self.bounds[index + 1]]
        ids: list[str] = hex_from_ids(self.pool.index.ids[rows]).to_pylist()
        return ids
