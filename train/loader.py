"""The loader: sequences of the shards as flat micro-batches, one item for each position of this process.

A micro-batch is its sequences laid end to end in one row (padding-free): `position_ids` restart at each document and
the attention kernels take the document borders from them, so no document sees another. Items are addressed by their
position alone, hence workers hold no state and the trainer's own skipping of batches costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from curate.shards import PackedSequence, ShardReader
from train.order import FILLER, Plan, Rows

IGNORED = -100
Batch = dict[str, Any]


class Sequences(Protocol):
    """Random access to packed sequences: a `ShardReader` over files, or a view of a pool."""

    def __len__(self) -> int:
        """Returns the number of sequences."""

    def read(self, index: int) -> PackedSequence:
        """Returns one sequence."""

    def doc_ids(self, index: int) -> list[str]:
        """Returns the row ids of the documents in one sequence."""


@dataclass(frozen=True)
class Lane:
    """The share of one process: `rank` of `world`, reading `micro_batch` sequences at a time."""

    rank: int
    world: int
    micro_batch: int

    def micros(self, plan: Plan) -> int:
        """Returns the micro-batches of this process in one optimizer step."""
        return plan.batch // (self.micro_batch * self.world)

    def pick(self, rows: Rows, turn: int) -> Rows:
        """Returns the rows of micro-batch `turn` of a step: micro-batches are dealt to the processes in turn."""
        start = (turn * self.world + self.rank) * self.micro_batch
        return rows[start : start + self.micro_batch]


class ShardFeed(Dataset[Batch]):
    """Item i is micro-batch i of this process, as tensors."""

    def __init__(self, place: Path | Sequences, plan: Plan, lane: Lane, steps: int) -> None:
        """Reads from a folder of shards, opened by each process that reads, or from sequences that are open."""
        self.place, self.plan, self.lane, self.steps = place, plan, lane, steps
        self._reader: Sequences | None = None
        self._step: tuple[int, Rows] = (-1, np.empty(0, dtype=np.int64))

    def __len__(self) -> int:
        return self.steps * self.lane.micros(self.plan)

    def __getitem__(self, item: int) -> Batch:
        """Returns the tensors of one micro-batch."""
        step, turn = divmod(item, self.lane.micros(self.plan))
        if self._step[0] != step:
            self._step = (step, self.plan.rows_of_step(step))
        return self.read(self.lane.pick(self._step[1], turn))

    def read(self, rows: Rows) -> Batch:
        """Returns the sequences of some rows as one flat batch; filler rows repeat row 0 with nothing to learn."""
        if self._reader is None:
            self._reader = ShardReader.open(self.place) if isinstance(self.place, Path) else self.place
        sequences = [self._reader.read(max(int(row), 0)) for row in rows]
        return flatten(sequences, np.asarray(rows) != FILLER)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}


def flatten(sequences: list[PackedSequence], learn: np.ndarray[Any, np.dtype[np.bool_]]) -> Batch:
    """Lays sequences end to end: int64[1, tokens] ids, labels, positions and sources, plus the document borders.

    The first token of a document is never a target: nothing precedes it. Sequences with `learn` false keep no target.
    """
    lengths = np.concatenate([s.seq_lengths for s in sequences]).astype(np.int64)
    labels = np.concatenate(
        [s.labels if real else np.full(len(s.labels), IGNORED) for s, real in zip(sequences, learn, strict=True)]
    ).astype(np.int64)
    borders = np.concatenate(([0], np.cumsum(lengths)))
    labels[borders[:-1]] = IGNORED
    cut = torch.from_numpy(borders.astype(np.int32))
    longest = int(lengths.max())
    documents = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    return {
        "input_ids": _row(np.concatenate([s.input_ids for s in sequences])),
        "labels": _row(labels),
        "position_ids": _row(np.arange(borders[-1]) - np.repeat(borders[:-1], lengths)),
        "source_ids": _row(np.repeat(np.concatenate([s.source_ids for s in sequences]), lengths)),
        "seq_idx": torch.from_numpy(documents[None]),
        "cu_seq_lens_q": cut,
        "cu_seq_lens_k": cut,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def _row(values: np.ndarray[Any, Any]) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.int64)[None])


def make_dataloader(feed: ShardFeed, workers: int) -> DataLoader[Batch]:
    """Returns a plain DataLoader over the feed, in order; it already holds one process's share, so don't prepare it."""
    return DataLoader(
        feed,
        batch_size=1,
        shuffle=False,
        num_workers=workers,
        collate_fn=_only,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
    )


def _only(items: list[Batch]) -> Batch:
    return items[0]


def validation_batches(lengths: list[int], budget: int) -> Iterator[list[int]]:
    """Yields consecutive rows whose tokens stay within the budget (at least one row), whatever the process count."""
    rows: list[int] = []
    tokens = 0
    for row, length in enumerate(lengths):
        if rows and tokens + length > budget:
            yield rows
            rows, tokens = [], 0
        rows.append(row)
        tokens += length
    if rows:
        yield rows


def read_rows(reader: Sequences, rows: list[int]) -> Batch:
    """Returns some rows of a reader as one flat batch."""
    return flatten([reader.read(row) for row in rows], np.ones(len(rows), dtype=bool))
