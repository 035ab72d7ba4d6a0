"""Resolving mixtures over a large pool, beside making a mixed data set anew for each proportion.

    python benchmarks/mixture.py --rows 1000000

Ours is one process: it takes the light columns of a pool of lognormal lengths, ranks the rows once, resolves one new mix, then
the 49 mixes of a 7 x 7 grid (the levels of Yi for two of four abilities), each with its order and digest, then a pack
plan. The peer does what has no index: `datasets.interleave_datasets` over four datasets with the same probabilities, then
tokenization and masks of what comes out (batched map, two processes). It runs on fewer rows and is scaled to as many. CPU
seconds are the steadier figure on a busy machine.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

LEVELS = ("1/64", "1/32", "1/16", "1/8", "1/4", "1/2", 1)
ABILITIES = ("code", "math", "service", "writing")
WEIGHTS = (0.4, 0.3, 0.2, 0.1)
ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")


def timed(name: str, work: Callable[[], T]) -> tuple[T, float]:
    """Runs some work, prints its wall and CPU seconds and the peak so far, and returns its result and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:48} {wall:8.3f} s {cpu:8.3f} s CPU {peak:6.0f} MiB peak", flush=True)
    return found, cpu


def make_index(rows: int) -> Any:
    """Returns the light columns of a pool: random ids, lognormal lengths of mean about 310, four abilities."""
    from curate.pool import PoolIndex

    rng = np.random.default_rng(0)
    ids = rng.integers(0, 1 << 63, (rows, 2), dtype=np.uint64)
    n_tokens = np.clip(rng.lognormal(5.3, 0.95, rows), 4, 4096).astype(np.int32)
    ability = rng.choice(4, rows, p=[0.5, 0.25, 0.15, 0.1]).astype(np.int16)
    trained = (n_tokens * 3 // 5).astype(np.int32)
    return PoolIndex(ids, ids, ability, ability, ability == 2, n_tokens, trained, ABILITIES, ABILITIES)


def ours(rows: int) -> float:
    """Times our side and returns the CPU seconds of one new mix with its pack plan."""
    from curate.mixture import MixIndex, MixSpec, resolve
    from curate.packing.plan import plan

    columns, _ = timed("make the light columns", lambda: make_index(rows))
    first = MixSpec()
    index, _ = timed("rank the rows, resolve a first mix", lambda: _opened(MixIndex(columns, 17), first, resolve))
    weights = MixSpec.model_validate({"weights": dict(zip(ABILITIES, WEIGHTS, strict=True))})
    mixture, one = timed("resolve a new mix, order and digest included", lambda: resolve(weights, index))
    plan(columns.n_tokens[:100], 2048)
    _, packing = timed("plan its packing", lambda: plan(columns.n_tokens[mixture.rows], 2048))
    print(f"{'':48} {len(mixture):,} places, {sum(g.tokens for g in mixture.groups):,} tokens")
    grid = [
        MixSpec.model_validate({"amounts": {"code": a, "math": b, "service": 1, "writing": 1}})
        for a, b in product(LEVELS, LEVELS)
    ]
    timed("resolve the 49 mixes of a 7 x 7 grid", lambda: [resolve(spec, index).sha256 for spec in grid])
    ratio = MixSpec.model_validate({"domain_to_general": "1:5"})
    timed("resolve 1:5 instead", lambda: resolve(ratio, index))
    return one + packing


def _opened(index: Any, spec: Any, resolve: Callable[..., Any]) -> Any:
    resolve(spec, index)
    return index


def theirs(rows: int) -> float:
    """Times interleaving and tokenizing so many chat rows and returns CPU seconds a row, children included."""
    import datasets
    from chat_rows import write_rows
    from transformers import AutoTokenizer

    sys.path.append(str(Path(__file__).with_name("peers")))
    from datasets_map import tokenize
    from template import CHATML_TRAINING

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "data_samples" / "tokenizer")
    tokenizer.chat_template = CHATML_TRAINING
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_rows(path, rows)
        whole = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=folder)
        parts = [whole.select(range(k, rows, 4)) for k in range(4)]
        before, wall = _cpu(), time.perf_counter()
        mixed = datasets.interleave_datasets(parts, probabilities=list(WEIGHTS), seed=17)
        made = mixed.map(
            tokenize, batched=True, num_proc=2, remove_columns=mixed.column_names, fn_kwargs={"tokenizer": tokenizer}
        )
        wall, cpu = time.perf_counter() - wall, _cpu() - before
        print(f"datasets: {len(made):,} rows interleaved and tokenized in {wall:.1f} s, {cpu:.1f} s CPU")
        return cpu / len(made)


def _cpu() -> float:
    """Returns CPU seconds of this process and its ended children."""
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    """Prints both sides and the ratio for as many rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=40_000, help="rows the peer runs on; 0 leaves it out")
    args = parser.parse_args()
    mine = ours(args.rows)
    if args.peer_rows:
        other = theirs(args.peer_rows) * args.rows
        print(
            f"a new proportion of {args.rows:,} rows: {other:,.0f} s CPU against {mine:.2f} s CPU, {other / mine:,.0f} times"
        )


if __name__ == "__main__":
    main()
