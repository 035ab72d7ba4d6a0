"""Packing beside TRL's ``pack_dataset(strategy="bfd")``: documents to full sequences, both token columns moved.

    python benchmarks/packing.py --rows 1000000 --length 4096 --repeats 3

Both start from tokens in Arrow memory maps, in the same order, and build packed Arrow columns in memory: ours
batch by batch, as the shard writer takes them, TRL's as one dataset, its only form. The ways alternate; ratios are
medians over the pairs. Compiled loops are loaded beforehand (that time is printed apart), and one pair runs uncounted,
so neither pays for memory the process has never touched. Both use one core: CPU seconds are the steadier figure.
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


class Timer:
    """Wall and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Returns (wall, CPU) seconds."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def ours(pool: Pool, length: int) -> tuple[float, float, PackPlan]:
    """Returns (wall seconds, CPU seconds, the plan), all tokens moved."""
    timer = Timer()
    made = plan(pool.n_tokens, length)
    tokens = 0
    for first in range(0, len(made), SEQUENCES_AT_ONCE):
        bounds = made.bounds[first : first + SEQUENCES_AT_ONCE + 1]
        documents = pool.gather(made.order[bounds[0] : bounds[-1]])
        tokens += len(to_batch(documents, bounds - bounds[0]).column(0).values)
    wall, cpu = timer.read()
    assert tokens == made.tokens
    return wall, cpu, made


def theirs(dataset: datasets.Dataset, length: int) -> tuple[float, float, int]:
    """Returns (wall seconds, CPU seconds, sequences) of TRL's packing."""
    timer = Timer()
    packed = pack_dataset(dataset, length, "bfd", {"keep_in_memory": True, "load_from_cache_file": False})
    return *timer.read(), len(packed)


def as_dataset(pool: Pool) -> datasets.Dataset:
    """Returns the pool's tokens and labels as a dataset in memory."""
    documents = pool.gather(np.arange(len(pool)))
    offsets = pa.array(documents.offsets)
    columns = {"input_ids": documents.input_ids, "labels": documents.labels}
    table = pa.table({name: pa.LargeListArray.from_arrays(offsets, pa.array(c)) for name, c in columns.items()})
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
    pairs = []
    for _ in range(args.repeats + 1):
        wall, cpu, made = ours(pool, args.length)
        their_wall, their_cpu, sequences = theirs(dataset, args.length)
        fill = tokens / (sequences * args.length)
        pairs.append((their_wall / wall, their_cpu / cpu))
        print(f"ours {wall:.2f} s ({cpu:.2f} s CPU), {len(made):,} sequences, fill {made.fill:.5f}")
        print(f"TRL  {their_wall:.2f} s ({their_cpu:.2f} s CPU), {sequences:,} sequences, fill {fill:.5f}")
    wall_ratio, cpu_ratio = (statistics.median(column) for column in zip(*pairs[1:], strict=True))
    print(f"median ratio: {wall_ratio:.1f} of wall, {cpu_ratio:.1f} of CPU")


if __name__ == "__main__":
    main()
