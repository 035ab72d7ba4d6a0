"""Packing beside TRL's ``pack_dataset(strategy="bfd")``: documents to full sequences, both token columns moved.

    python benchmarks/packing.py --rows 1000000 --length 4096 --repeats 3

Both start from tokens in Arrow memory maps and end with packed Arrow columns in memory. The ways alternate; the
ratio is the median of the pairs. Compiled loops are loaded beforehand (that time is printed apart), and one pair
runs uncounted, so neither pays for memory the process has never touched.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
from generated_pool import open_pool
from trl.data_utils import pack_dataset

from curate.packing.plan import PackPlan, plan
from curate.pool import Pool
from curate.shards.schema import to_batch

SEQUENCES_AT_ONCE = 500


def ours(pool: Pool, length: int) -> tuple[float, float, PackPlan]:
    """Returns (seconds to plan, seconds to move the tokens, the plan)."""
    start = time.perf_counter()
    made = plan(pool.n_tokens, length)
    planned = time.perf_counter()
    batches = []
    for first in range(0, len(made), SEQUENCES_AT_ONCE):
        bounds = made.bounds[first : first + SEQUENCES_AT_ONCE + 1]
        documents = pool.gather(made.order[bounds[0] : bounds[-1]])
        batches.append(to_batch(documents, bounds - bounds[0]))
    table = pa.Table.from_batches(batches)
    end = time.perf_counter()
    assert table.num_rows == len(made)
    return planned - start, end - planned, made


def theirs(dataset: datasets.Dataset, length: int) -> tuple[float, int]:
    """Returns (seconds, sequences) of TRL's packing."""
    start = time.perf_counter()
    packed = pack_dataset(dataset, length, "bfd", {"keep_in_memory": True, "load_from_cache_file": False})
    return time.perf_counter() - start, len(packed)


def as_dataset(pool: Pool) -> datasets.Dataset:
    """Returns the pool's token columns as a dataset, mapped, not copied."""
    table = pa.Table.from_batches([batch.select(["input_ids", "labels"]) for batch in pool.batches])
    return datasets.Dataset(datasets.table.InMemoryTable(table))


def main() -> None:
    """Prints seconds, fill and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("out/benchmarks/pool"))
    args = parser.parse_args()
    datasets.disable_progress_bars()
    pool = open_pool(args.folder, args.rows)
    tokens = int(pool.n_tokens.sum(dtype=np.int64))
    print(f"{args.rows:,} rows, {tokens:,} tokens, {tokens * 8 / 1e9:.2f} GB in two columns")
    start = time.perf_counter()
    plan(pool.n_tokens[:100], args.length)
    pool.gather(np.arange(100))
    print(f"load or compile the loops: {time.perf_counter() - start:.2f} s")
    dataset = as_dataset(pool)
    ratios = []
    for repeat in range(args.repeats + 1):
        planning, moving, made = ours(pool, args.length)
        seconds, sequences = theirs(dataset, args.length)
        if repeat:
            ratios.append(seconds / (planning + moving))
        fill = tokens / (sequences * args.length)
        print(f"ours {planning:.3f} s plan + {moving:.2f} s move, {len(made):,} sequences, fill {made.fill:.5f}")
        print(
            f"TRL  {seconds:.2f} s, {sequences:,} sequences, fill {fill:.5f}; ratio {seconds / (planning + moving):.1f}"
        )
    print(f"median ratio: {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
