"""Shards beside Hugging Face ``datasets``: writing packed sequences, and reading random batches as tensors.

    python benchmarks/shards.py --rows 400000 --length 4096 --repeats 3 --folder /dev/shm/shards

Writing: ours gathers from the pool, lays out, writes and hashes; ``save_to_disk`` gets the packed table ready made.
Collating: random sequences as the batch a trainer gets (ids, labels, positions): our loader beside TRL's padding-free
collator over the same shards opened with ``datasets``, which is what a trainer reads without us.
Reading: random sequences, 1 and 8 a time, flattened to tensors without positions, beside the torch format of
``datasets``. The ways alternate; a ratio is the median of the pairs. A folder in memory (``/dev/shm``) leaves the disk out; fsync is part of ours.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import datasets
import numpy as np
import torch
from generated_pool import open_pool
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from curate.mixture import MixSpec, resolve
from curate.packing.plan import PackPlan, plan
from curate.pool import Pool
from curate.shards import ShardReader, finish_dataset, write_packed
from train.loader import flatten

SEQUENCES = 3200


def seconds(call: Callable[[], object]) -> float:
    """Returns how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def write_ours(folder: Path, pool: Pool, rows: np.ndarray, made: PackPlan) -> None:
    """Exports the plan over the stream ``rows``."""
    shutil.rmtree(folder, ignore_errors=True)
    shards = write_packed(folder, pool, rows[made.order], made.bounds, key="benchmark")
    finish_dataset(folder, shards, fingerprint="benchmark", split="train")


def write_theirs(folder: Path, dataset: datasets.Dataset) -> None:
    """Saves a packed dataset."""
    shutil.rmtree(folder, ignore_errors=True)
    dataset.save_to_disk(str(folder))


def read_ours(reader: ShardReader, batches: np.ndarray) -> int:
    """Returns a checksum of all batches as tensors."""
    total = 0
    for indices in batches:
        batch = reader.batch(indices)
        input_ids, labels = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.labels)
        total += int(input_ids[-1]) + int(labels[-1])
    return total


def read_theirs(dataset: datasets.Dataset, batches: np.ndarray) -> int:
    """Returns the same checksum through the torch format."""
    total = 0
    for indices in batches:
        rows = dataset[indices.tolist()]
        input_ids, labels = torch.cat(list(rows["input_ids"])), torch.cat(list(rows["labels"]))
        total += int(input_ids[-1]) + int(labels[-1])
    return total


def collate_ours(reader: ShardReader, batches: np.ndarray) -> int:
    """Returns a checksum of all batches as our loader collates them."""
    total = 0
    for indices in batches:
        batch = flatten([reader.read(int(k)) for k in indices], np.ones(len(indices), dtype=bool))
        total += int(batch["input_ids"][0, -1]) + int(batch["labels"][0, -1]) + int(batch["position_ids"][0, -1])
    return total


def collate_theirs(dataset: datasets.Dataset, batches: np.ndarray) -> int:
    """Returns the same checksum through TRL's collator."""
    collator = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    total = 0
    for indices in batches:
        batch = collator([dataset[int(k)] for k in indices])
        total += int(batch["input_ids"][0, -1]) + int(batch["labels"][0, -1]) + int(batch["position_ids"][0, -1])
    return total


def compare(name: str, ours: Callable[[], int], theirs: Callable[[], int], count: int) -> float:
    """Prints the speeds of a pair and returns how many times faster ours is."""
    mine, other = seconds(ours), seconds(theirs)
    print(f"{name}: ours {count / mine:,.0f} sequences/s, datasets {count / other:,.0f}")
    return other / mine


def main() -> None:
    """Prints speeds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("out/benchmarks/shards"))
    parser.add_argument("--pool", type=Path, default=Path("out/benchmarks/pool"))
    args = parser.parse_args()
    datasets.disable_progress_bars()
    torch.set_num_threads(1)
    pool = open_pool(args.pool, args.rows)
    rows = resolve(MixSpec(), pool.index, seed=0).rows
    made = plan(pool.n_tokens[rows], args.length)
    size = made.tokens * 8 / 1e9
    write_ours(args.folder / "ours", pool, rows, made)
    packed = datasets.load_from_disk(str(args.folder / "ours"), keep_in_memory=True)
    ratios = []
    for _ in range(args.repeats):
        before = time.process_time()
        mine = seconds(lambda: write_ours(args.folder / "ours", pool, rows, made))
        cpu = time.process_time() - before
        other = seconds(lambda: write_theirs(args.folder / "theirs", packed))
        ratios.append(other / mine)
        print(f"write {size:.2f} GB: ours {size / mine:.2f} GB/s ({cpu:.2f} s CPU), datasets {size / other:.2f} GB/s")
    print(f"median ratio of writing: {statistics.median(ratios):.1f}")
    reader = ShardReader.open(args.folder / "ours")
    found = datasets.load_from_disk(str(args.folder / "ours")).select_columns(["input_ids", "labels"])
    tensors = found.with_format("torch")
    lists = datasets.load_from_disk(str(args.folder / "ours")).select_columns(["input_ids", "labels", "seq_lengths"])
    ways = (("collate", collate_ours, collate_theirs, lists), ("read", read_ours, read_theirs, tensors))
    for name, ours, theirs, dataset in ways:
        for batch in (1, 8):
            ratios = []
            for repeat in range(args.repeats):
                chosen = np.random.default_rng(repeat).integers(0, len(reader), (SEQUENCES // batch, batch))
                assert ours(reader, chosen[:20]) == theirs(dataset, chosen[:20])
                call, peer = partial(ours, reader, chosen), partial(theirs, dataset, chosen)
                ratios.append(compare(f"{name} by {batch}", call, peer, chosen.size))
            print(f"median ratio, {name} by {batch}: {statistics.median(ratios):.1f}")
    views = seconds(lambda: [reader.read(k) for k in range(len(reader))])
    print(f"every sequence as views, in order: {len(reader) / views:,.0f} sequences/s")


if __name__ == "__main__":
    main()
