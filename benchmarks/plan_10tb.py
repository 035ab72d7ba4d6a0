"""What near-deduplicating many terabytes takes: each phase's rate on one core measured here, the rest counted.

    python benchmarks/plan_10tb.py --terabytes 10 --row-bytes 4000 --cores 256

A generated corpus goes through `curate run` in this process, each phase's CPU seconds noted. Phases that go
by part are scaled by bytes; matching and verifying are those of one bucket of the data's real size (`bucket_sim.py`);
the choice, which one task makes, is timed on random edges and scaled by their number. Reading and writing come from the
page cache here: the bytes are told, so that a network's speed can be set against them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bucket_sim import Data, simulated
from dedup import write_recipe
from dedup_corpus import write_corpus

from curate.executors.serial import SerialExecutor
from curate.plan import make_plan
from curate.recipe import load_recipe
from curate.run import run
from curate.steps.ingest import PART_BYTES
from curate.steps.select.choosing import loops
from curate.steps.select.job import MAX_ROWS, same_buckets

ONCE = ("learn", "order_rows", "mark_copies", "choose_turn", "decide", "write_clusters")
SIMULATED = ("match_bucket", "pairs_of_share", "verify_share", "same_bucket")
BYTES_PER_EDGE = 60


class Timing(SerialExecutor):
    """Notes the CPU seconds of each function."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def map(
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, cpus: int = 1, gpus: int = 0
    ) -> Iterator[tuple[int, Any]]:
        """Maps and times."""
        for index, item in enumerate(items):
            before = time.process_time()
            result = fn(item)
            name = fn.__name__.lstrip("_")
            self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - before
            yield index, result


@dataclass(frozen=True)
class Rates:
    """Seconds of one core for a gigabyte of input by phase, and bytes of store for a byte of input."""

    seconds: dict[str, float]
    stored: float


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--terabytes", type=float, default=10)
    parser.add_argument("--row-bytes", type=int, default=4000, help="mean bytes of a row")
    parser.add_argument("--cores", type=int, default=256)
    parser.add_argument("--duplicated", type=float, default=Data.duplicated, help="share of rows with a near-duplicate")
    parser.add_argument("--rows", type=int, default=50_000, help="of the corpus the rates are measured on")
    asked = parser.parse_args()
    rows = int(asked.terabytes * 1e12 / asked.row_bytes)
    if rows >= MAX_ROWS:
        parser.error(f"{rows:,} rows are more than one comparison numbers ({MAX_ROWS:,}); plan a part of them")
    data = Data(rows=rows, row_bytes=asked.row_bytes, shingles=asked.row_bytes // 5, duplicated=asked.duplicated)
    print(plan(data, measured(asked.rows), asked.cores))


def measured(rows: int) -> Rates:
    """Returns the rates of a run over so many rows; it runs twice, the first time to load what is compiled."""
    with tempfile.TemporaryDirectory() as folder:
        for number in (500, rows):
            source = Path(folder) / f"rows-{number}.jsonl"
            write_corpus(source, number)
            recipe = write_recipe(source, Path(folder) / str(number), "minhash_dedup")
            timing = Timing()
            for _ in run(make_plan(load_recipe(recipe)), timing):
                pass
        size = source.stat().st_size
        stored = sum(p.stat().st_size for p in (recipe.parent / "store").rglob("*") if p.is_file())
    return Rates({name: s / size * 1e9 for name, s in timing.seconds.items()}, stored / size)


def choice_seconds(edges: int = 4_000_000) -> float:
    """Returns the CPU seconds the choice takes for an edge: sorted, gone through, connected."""
    chance = np.random.default_rng(5)
    a, b = np.sort(chance.integers(0, edges, (2, edges)), axis=0)
    score = chance.uniform(0.7, 1, edges)
    loops().greedy(a[:1], b[:1], score[:1], edges, 0)
    loops().components(a[:1], b[:1], edges)
    before = time.process_time()
    order = np.lexsort((a, b))
    loops().greedy(a[order], b[order], score[order], edges, 0)
    loops().components(a, b, edges)
    return (time.process_time() - before) / edges


def plan(data: Data, rates: Rates, cores: int) -> str:
    """Returns the plan as text."""
    gigabytes = data.rows * data.row_bytes / 1e9
    found = simulated(data)
    by_part = {n: s * gigabytes / 3600 for n, s in rates.seconds.items() if n not in ONCE + SIMULATED}
    matching = {
        "match_bucket (simulated)": found["match_core_hours"],
        "verify_share (simulated)": found["verify_core_hours"],
        "slices opened (simulated)": found["other_slices_core_hours"],
    }
    hours = by_part | matching
    alike = data.rows * data.duplicated
    edges = alike * data.cluster / 2
    once = choice_seconds() * edges / 3600
    volumes = {
        "input": gigabytes,
        "store after ingest": gigabytes * rates.stored,
        "keys, shuffled": found["keys_gb"],
        "digests, shuffled": data.rows * 20 / 1e9,
        "candidate pairs, shuffled": found["pairs"] * 8 / 1e9,
        "shingle sets, shuffled": alike * data.shingles * 4 * 2 / 1e9,
    }
    counts = {
        "rows": data.rows,
        f"parts of {PART_BYTES >> 20} MiB": data.parts,
        "bundles of parts": found["bundles"],
        "buckets of digests": same_buckets(data.rows),
        "buckets of keys": found["buckets"],
        "shares of pairs": found["shares"],
        "peak MiB of the matching task": found["peak_mib"],
        "GB for the one task that chooses": edges * BYTES_PER_EDGE / 1e9,
    }
    wall = sum(hours.values()) / cores + once
    lines = ["core-hours", *(f"  {name:40} {value:>16,.1f}" for name, value in hours.items())]
    lines += [f"  {'all':40} {sum(hours.values()):>16,.1f}", f"  {'the choice, one core (hours)':40} {once:>16,.2f}"]
    lines += ["GB", *(f"  {name:40} {value:>16,.0f}" for name, value in volumes.items())]
    lines += ["counts", *(f"  {name:40} {value:>16,.0f}" for name, value in counts.items())]
    return "\n".join([*lines, f"hours on {cores} cores of this kind {wall:>21,.1f}"])


if __name__ == "__main__":
    main()
