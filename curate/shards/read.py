"""Reads any sequence of a folder of shards in microseconds, as views into mapped files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import numbers_of
from curate.errors import StoreError
from curate.shards.schema import SHARD_SCHEMA
from curate.shards.write import read_info


class PackedSequence(NamedTuple):
    """One sequence; the arrays are read-only views that stay valid as long as they are held."""

    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    seq_lengths: NDArray[np.int32]
    """Tokens of each document; they sum to ``input_ids.size``."""
    source_ids: NDArray[np.int16]
    """Source of each document, a place in the manifest's ``sources``."""


class PackedBatch(NamedTuple):
    """Several sequences laid end to end: what a padding-free collator returns; arrays are fresh copies."""

    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    seq_lengths: NDArray[np.int32]
    source_ids: NDArray[np.int16]
    documents: NDArray[np.int64]
    """Number of documents of each sequence."""


class _Block(NamedTuple):
    """One record batch as views; a memoryview yields a Python int in a third of numpy's time."""

    tokens: memoryview
    """Offsets of the sequences into ``input_ids`` and ``labels``."""
    documents: memoryview
    """Offsets of the sequences into ``seq_lengths`` and ``source_ids``."""
    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    seq_lengths: NDArray[np.int32]
    source_ids: NDArray[np.int16]
    doc_ids: pa.ListArray

    def read(self, row: int) -> PackedSequence:
        start, end = self.tokens[row], self.tokens[row + 1]
        first, last = self.documents[row], self.documents[row + 1]
        return PackedSequence(
            self.input_ids[start:end], self.labels[start:end], self.seq_lengths[first:last], self.source_ids[first:last]
        )


class _Shard(NamedTuple):
    starts: list[int]
    blocks: list[_Block]


@dataclass
class ShardReader:
    """Random access to the sequences of one folder of shards, by number, in the written order.

    Files are mapped when first touched; resident memory is page cache the operating system may drop. A reader can
    be sent to another process, which maps the files anew.
    """

    folder: Path
    files: tuple[str, ...]
    starts: tuple[int, ...]
    """Number of the first sequence of each file, then the total."""
    _opened: dict[int, _Shard] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, folder: Path) -> ShardReader:
        """Opens a finished folder of shards.

        Raises:
            StoreError: when the folder isn't finished or a shard is missing.
        """
        try:
            state = orjson.loads((folder / "state.json").read_bytes())
        except FileNotFoundError:
            raise StoreError(f"{folder}: no state.json, so no finished shards are here; run `curate run`") from None
        files = tuple(entry["filename"] for entry in state["_data_files"])
        counts = [_rows_of(folder / name) for name in files]
        return cls(folder, files, tuple(np.cumsum([0, *counts]).tolist()))

    def __len__(self) -> int:
        """Returns the number of sequences."""
        return self.starts[-1]

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "files": self.files, "starts": self.starts, "_opened": {}}

    def read(self, index: int) -> PackedSequence:
        """Returns sequence ``index`` as views, without copying a token.

        Raises:
            IndexError: when there is no such sequence.
        """
        block, row = self._find(index)
        return block.read(row)

    def batch(self, indices: Sequence[int] | NDArray[np.int64]) -> PackedBatch:
        """Returns sequences laid end to end in the order asked for; at least one."""
        parts = [block.read(row) for block, row in map(self._find, map(int, indices))]
        input_ids, labels, seq_lengths, source_ids = (np.concatenate(column) for column in zip(*parts, strict=True))
        documents = np.array([part.seq_lengths.size for part in parts], dtype=np.int64)
        return PackedBatch(input_ids, labels, seq_lengths, source_ids, documents)

    def doc_ids(self, index: int) -> list[str]:
        """Returns the row ids of the documents in sequence ``index``."""
        block, row = self._find(index)
        ids: list[str] = block.doc_ids[row].as_py()
        return ids

    def _find(self, index: int) -> tuple[_Block, int]:
        if not 0 <= index < self.starts[-1]:
            raise IndexError(f"{self.folder}: no sequence {index}; there are {self.starts[-1]}")
        number = bisect_right(self.starts, index) - 1
        shard = self._opened.get(number)
        if shard is None:
            shard = self._opened[number] = self._open_shard(number)
        inside = index - self.starts[number]
        block = bisect_right(shard.starts, inside) - 1
        return shard.blocks[block], inside - shard.starts[block]

    def _open_shard(self, number: int) -> _Shard:
        path = self.folder / self.files[number]
        blocks = [_views(path, batch) for batch in _batches(path)]
        starts = np.cumsum([0, *(len(block.tokens) - 1 for block in blocks)]).tolist()
        if starts[-1] != self.starts[number + 1] - self.starts[number]:
            raise StoreError(f"{path}: holds {starts[-1]} sequences, its account says otherwise; export it again")
        return _Shard(starts[:-1], blocks)


def _rows_of(path: Path) -> int:
    """Returns the number of sequences in a shard, from the account beside it or by opening it."""
    info = read_info(path)
    if info is not None and path.exists():
        return info.rows
    return sum(batch.num_rows for batch in _batches(path))


def _batches(path: Path) -> list[pa.RecordBatch]:
    """Maps a shard and returns its record batches; only metadata is touched."""
    try:
        with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
            found = stream.schema
            if not found.equals(SHARD_SCHEMA):
                raise StoreError(f"{path}: columns {found.names} of types {found.types} aren't those of a shard")
            return list(stream)
    except FileNotFoundError:
        raise StoreError(f"{path}: this shard is missing; export the data again") from None
    except pa.ArrowInvalid as error:
        raise StoreError(f"{path}: not a complete Arrow stream ({error}); export the data again") from error


def _views(path: Path, batch: pa.RecordBatch) -> _Block:
    offsets = [numbers_of(batch.column(k).offsets) for k in range(5)]
    same_tokens = np.array_equal(offsets[0], offsets[1])
    if not same_tokens or not all(np.array_equal(offsets[2], other) for other in offsets[3:]):
        raise StoreError(f"{path}: columns of one sequence differ in length; export the data again")
    input_ids, labels, seq_lengths, source_ids = (numbers_of(batch.column(k).values) for k in range(4))
    tokens, documents = memoryview(offsets[0].data), memoryview(offsets[2].data)
    return _Block(tokens, documents, input_ids, labels, seq_lengths, source_ids, batch.column(4))
