from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch

from curate.shards import Manifest, PackedSequence, ShardReader
from train.loader import IGNORED, Lane, ShardFeed, flatten, make_dataloader, validation_batches
from train.order import Plan, cut_segments


def plan_of(shards: Path, batch: int = 4, epochs: int = 2) -> Plan:
    """Returns a plan over the shards."""
    manifest = Manifest.read(shards)
    rows = tuple(shard.rows for shard in manifest.shards["train"])
    return Plan(cut_segments(rows), batch, 17, manifest.hash, wanted=epochs * sum(rows))


def digest(batches: list[dict[str, torch.Tensor]]) -> list[tuple[int, ...]]:
    """Returns the tokens of each batch."""
    return [tuple(batch["input_ids"][0].tolist()) for batch in batches]


def test_a_flat_batch_keeps_documents_apart() -> None:
    """Positions restart, borders are cumulative, the first token of a document is no target, sources follow tokens."""
    ids = np.array([5, 6, 7, 8, 9], dtype=np.int32)
    sequence = PackedSequence(ids, ids, np.array([3, 2], dtype=np.int32), np.array([1, 0], dtype=np.int16))
    batch = flatten([sequence, sequence], np.array([True, False]))
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1] * 2]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7, IGNORED, 9] + [IGNORED] * 5]
    assert batch["source_ids"].tolist() == [[1, 1, 1, 0, 0] * 2]
    assert batch["cu_seq_lens_q"].tolist() == [0, 3, 5, 8, 10]
    assert batch["max_length_q"] == 3
    assert batch["seq_idx"].tolist() == [[0, 0, 0, 1, 1, 2, 2, 2, 3, 3]]


def test_two_processes_read_the_batches_of_one(shards: Path) -> None:
    """Every step holds the same micro-batches whatever the process count, dealt in turn."""
    plan = plan_of(shards)
    alone = ShardFeed(shards / "train", plan, Lane(0, 1, 1), plan.steps)
    pair = [ShardFeed(shards / "train", plan, Lane(rank, 2, 1), plan.steps) for rank in (0, 1)]
    assert len(pair[0]) * 2 == len(alone)
    together = [pair[i % 2][i // 2] for i in range(len(alone))]
    assert digest(together) == digest([alone[i] for i in range(len(alone))])


def test_items_are_stateless_so_workers_and_seeks_read_the_same(shards: Path) -> None:
    """Reading backwards, from a copy sent elsewhere, or by worker processes gives the same items."""
    plan = plan_of(shards)
    feed = ShardFeed(shards / "train", plan, Lane(0, 1, 2), plan.steps)
    forward = digest([feed[i] for i in range(len(feed))])
    copy = pickle.loads(pickle.dumps(feed))
    assert digest([copy[i] for i in reversed(range(len(feed)))])[::-1] == forward
    assert digest(list(make_dataloader(feed, workers=1))) == forward


def test_filler_repeats_a_sequence_with_nothing_to_learn(shards: Path) -> None:
    """Places past the last pass keep every process equally busy and add no target."""
    rows = len(ShardReader.open(shards / "train"))
    plan = Plan((rows,), rows - 1, 0, "d", wanted=rows)
    feed = ShardFeed(shards / "train", plan, Lane(0, 1, 1), plan.steps)
    trained = [int((feed[i]["labels"] != IGNORED).sum()) for i in range(len(feed))]
    assert all(count > 0 for count in trained[:rows])
    assert trained[rows:] == [0] * (rows - 2)


def test_validation_rows_fill_batches_in_order_within_a_budget() -> None:
    """Batches take rows in order, stay within the budget, and hold at least one row."""
    assert list(validation_batches([3, 4, 9, 1, 1, 2], 7)) == [[0, 1], [2], [3, 4, 5]]
    assert list(validation_batches([], 7)) == []
