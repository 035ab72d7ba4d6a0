"""Peak memory of comparing many rows whose content is simulated: every phase of `minhash_dedup` runs for real.

    python benchmarks/select_memory.py --rows 10000000

A row's shingles are made from its number when they are asked for, so no text is written, read or folded; signing, matching,
verifying and choosing are the step's own, on spawned workers. A tenth of the rows are copies, a tenth differ from
another in 5 % of their shingles; where that other one is a copy itself, the row has no partner. Peaks are sums over the
process tree.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import Cost, run, table
from numpy.typing import NDArray

from curate.arrow_rows import ArrowRows
from curate.executors.local import LocalExecutor
from curate.rows import conform
from curate.stage import Sketch
from curate.stages.dedup.earlier import flat_sets
from curate.stages.dedup.minhash_dedup import MinhashDedup
from curate.stages.dedup.scaffold import scaffold_of
from curate.stages.dedup.sketch_loop import sketch_sets
from curate.steps.select import run_select
from curate.store import Artifact, BasePart, RowsView, read_frame, write_frame

ROWS_PER_PART = 12_500
EDITED = 20
"""Of so many shingles one is replaced in a near copy."""
Words = NDArray[np.uint64]


def mixed(words: Any) -> Words:
    """Mixes 64 bits (the finalizer of SplitMix64, Steele et al. 2014)."""
    words = np.asarray(words, np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        words = (words ^ (words >> np.uint64(shift))) * np.uint64(factor)
    found: Words = words ^ (words >> np.uint64(31))
    return found


def origins(rows: Words, total: int) -> tuple[Words, NDArray[np.bool_]]:
    """Returns the row each is made from (often itself), and whether it differs from that one a little."""
    chance = mixed(rows + np.uint64(1))
    base = np.where(chance % np.uint64(5) == 0, mixed(chance) % np.uint64(total), rows)
    return base, (chance % np.uint64(10) == 0)


class Simulated(MinhashDedup):
    """`minhash_dedup` of rows that are only a number."""

    total: int
    shingles: int

    def _made(self, rows: ArrowRows) -> tuple[pl.Series, Words]:
        number = rows["id"].str.to_integer(base=16, dtype=pl.UInt64).to_numpy()
        base, near = origins(number, self.total)
        words = mixed(base[:, None] * np.uint64(0x9E3779B97F4A7C15) + np.arange(self.shingles, dtype=np.uint64))
        edits = np.where(near, number + np.uint64(1), np.uint64(0))
        anew = near[:, None] & (mixed(words ^ edits[:, None]) % np.uint64(EDITED) == 0)
        words = np.where(anew, mixed(words + edits[:, None]), words)
        sets = np.sort((words >> np.uint64(32)).astype(np.uint32), axis=1)
        lists = pl.Series(sets).reshape((len(number), self.shingles)).arr.to_list()
        return lists, mixed(base + (edits << np.uint64(20)))

    def sample(self, labels: pl.DataFrame) -> NDArray[np.int64]:
        """Returns no rows: no shingle is in many."""
        return super().sample(labels.clear())

    def sketch(self, rows: ArrowRows, learned: pl.DataFrame | None) -> Sketch:
        """Returns the sketch of the rows' shingles."""
        lists, digest = self._made(rows)
        values, offsets = flat_sets(lists)
        salts = np.zeros(len(rows), np.int64)
        keys, bits = sketch_sets(values, offsets, salts, scaffold_of(learned), *self.bands, self.bit_words)
        frame = pl.DataFrame({"row": pl.Series(range(len(rows)), dtype=pl.UInt32), "high": digest})
        frame = frame.with_columns(
            low="high", rank=pl.lit(0, dtype=pl.Int64), weight=pl.lit(4 * self.shingles, dtype=pl.UInt32)
        )
        return Sketch(frame, keys, bits)

    def features(self, rows: ArrowRows, sketch: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        """Returns the shingles of the rows."""
        return self._made(rows)[0]


def main() -> None:
    """Runs itself as a process tree of its own and prints what that took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--shingles", type=int, default=120, help="of a row")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help="folder for scratch files; default: a temporary one")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        compare(asked, asked.inside)
        return
    with tempfile.TemporaryDirectory(dir=asked.work) as folder:
        write_parts(asked.rows, Path(folder))
        options = [f"--{name}={getattr(asked, name)}" for name in ("rows", "shingles", "workers")]
        cost = run([sys.executable, __file__, *options, "--inside", folder])
    print(report(asked.rows, cost))


def report(rows: int, cost: Cost) -> str:
    """Returns the figures as a table."""
    line = [f"{rows:,}", f"{cost.wall:.0f}", f"{cost.cpu:.0f}", f"{cost.rss:,.0f}", f"{cost.anonymous:,.0f}"]
    return table(["rows", "wall s", "CPU s", "peak RSS MiB", "anonymous MiB"], [line]) + "\n\n" + cost.stdout.strip()


def write_parts(rows: int, folder: Path) -> None:
    """Writes rows that have an id and nothing else."""
    for number, start in enumerate(range(0, rows, ROWS_PER_PART)):
        ids = [f"{i:032x}" for i in range(start, min(rows, start + ROWS_PER_PART))]
        frame = pl.DataFrame({"id": ids, "group": ids}).with_columns(source=pl.lit("simulated"), kind=pl.lit("text"))
        write_frame(folder / f"part-{number:05d}.arrow", conform(frame))


def compare(asked: argparse.Namespace, folder: Path) -> None:
    """Runs the step and prints how many rows were made from another, and dropped."""
    parts = -(-asked.rows // ROWS_PER_PART)
    view = RowsView(tuple(BasePart(folder, f"part-{number:05d}") for number in range(parts)))
    artifact = Artifact(folder / "select")
    executor = LocalExecutor(asked.workers)
    try:
        for _ in run_select(
            Simulated(total=asked.rows, shingles=asked.shingles), view, asked.rows, artifact, b"{}", executor
        ):
            pass
    finally:
        executor.close()
    dropped = sum(read_frame(artifact.part(part, "ledger")).height for part in range(parts))
    base, _ = origins(np.arange(asked.rows, dtype=np.uint64), asked.rows)
    made = int((base != np.arange(asked.rows, dtype=np.uint64)).sum())
    print(f"{made:,} rows made from another, {dropped:,} dropped; {artifact.meta['select']}")


if __name__ == "__main__":
    main()
