"""One bucket of the keys of a very large data set, matched for real, and what all buckets come to.

    python benchmarks/bucket_sim.py --rows 1000000000

The bucket holds as many keys as it would: keys that rows have alone, keys that near-duplicates share, and a crowd (a
template many rows share). It lies in as many files as the data has bundles of parts, goes through the step's own
`match_bucket`, and its pairs through the stage's own Jaccard. Counts and CPU seconds are then multiplied by the number of
buckets. How long it takes to open a slice is measured on files of as many slices as there would be.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.stage import Select
from curate.stages.dedup.minhash_dedup import MinhashDedup
from curate.steps.ingest import PART_BYTES
from curate.steps.select.job import MAX_ROWS, MOST_FILTERED, Job, key_buckets, same_buckets, shares_of
from curate.steps.select.matching import mark_copies, match_bucket
from curate.store import Artifact, BasePart, RowsView, read_json, read_slice, write_frame, write_slices

Entries = NDArray[np.uint64]


@dataclass(frozen=True)
class Data:
    """What is assumed of the data; defaults are those of the command."""

    rows: int = 1_000_000_000
    row_bytes: int = 1400
    shingles: int = 300
    duplicated: float = 0.2
    cluster: float = 4
    crowd: int = 10_000

    @property
    def parts(self) -> int:
        """Parts of the store."""
        return max(1, -(-self.rows * self.row_bytes // PART_BYTES))


def main() -> None:
    """Parses, simulates, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=Data.rows)
    parser.add_argument("--row-bytes", type=int, default=Data.row_bytes, help="of input, for the number of parts")
    parser.add_argument("--shingles", type=int, default=Data.shingles, help="in a row's set")
    parser.add_argument("--duplicated", type=float, default=Data.duplicated, help="share of rows with a near-duplicate")
    parser.add_argument("--cluster", type=float, default=Data.cluster, help="mean size of their clusters")
    parser.add_argument("--crowd", type=int, default=Data.crowd, help="rows that share one key of every bucket")
    parser.add_argument("--json", action="store_true")
    asked = vars(parser.parse_args())
    as_json = asked.pop("json")
    data = Data(**asked)
    if not MOST_FILTERED < data.rows < MAX_ROWS:
        parser.error(f"--rows: over {MOST_FILTERED:,} (smaller data is filtered by bits) and under {MAX_ROWS:,}")
    found = simulated(data)
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() if as_json else table(found))


def simulated(data: Data) -> dict[str, float]:
    """Returns what one bucket took, compiling left out, and what all take."""
    with tempfile.TemporaryDirectory() as folder:
        _matched(replace(data, rows=MOST_FILTERED + 1, crowd=10), Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        return _simulated(data, Path(folder))


def _simulated(data: Data, folder: Path) -> dict[str, float]:
    job, keys, cpu = _matched(data, folder)
    stage, buckets = job.stage, job.key_buckets
    account = read_json(job.account(0, "found"))
    pairs = sum(read_slice(job.part(0, "found"), share).height for share in range(job.shares))
    opening = slice_seconds(folder, buckets, max(1, keys // job.bundles))
    opened = buckets * job.shares + 2 * job.bundles * job.shares  # pairs by share; wanted rows and features
    return {
        "rows": data.rows,
        "parts": data.parts,
        "bundles": job.bundles,
        "keys_per_row": stage.keys_per_row,
        "buckets": buckets,
        "shares": job.shares,
        "keys_in_bucket": keys,
        "bucket_cpu_s": cpu,
        "bucket_pairs": pairs,
        "bucket_crowds": account["crowds"],
        "bucket_pairs_left_out_by_crowds": account["not_compared"],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "slice_open_us": opening * 1e6,
        "keys_gb": data.rows * stage.keys_per_row * 8 / 1e9,
        "match_core_hours": buckets * cpu / 3600,
        "pairs": pairs * buckets,
        "verify_core_hours": pairs * buckets / pairs_a_second(stage, data.shingles) / 3600,
        "other_slices_core_hours": opened * opening / 3600,
    }


def _matched(data: Data, folder: Path) -> tuple[Job, int, float]:
    """Makes one bucket and matches it; returns the job, the keys of the bucket and the CPU seconds."""
    stage = MinhashDedup()
    job = _job(data, stage, folder)
    entries = bucket_entries(data, stage, key_buckets(stage, data.rows))
    _write_bucket(job, entries)
    mark_copies((job, 0))
    before = time.process_time()
    match_bucket((job, 0))
    return job, entries.size, time.process_time() - before


def bucket_entries(data: Data, stage: MinhashDedup, buckets: int) -> Entries:
    """Returns the entries of one bucket: 32 bits of key, 32 of row; every row of the data is as likely in it."""
    chance = np.random.default_rng(17)
    total = data.rows * stage.keys_per_row // buckets
    clusters = int(total * data.duplicated / data.cluster)
    sizes = 2 + chance.poisson(data.cluster - 2, clusters)
    shares = chance.uniform(0.75, 0.98, clusters) ** stage.bands.rows  # how likely a member has the cluster's key
    members = chance.binomial(sizes, shares)
    shared = np.repeat(chance.integers(0, 1 << 32, clusters, dtype=np.uint64), members)
    crowd = np.full(data.crowd, chance.integers(0, 1 << 32, dtype=np.uint64), np.uint64)
    alone = chance.integers(0, 1 << 32, max(0, total - shared.size - crowd.size), dtype=np.uint64)
    keys = np.concatenate([shared, crowd, alone])
    places = chance.integers(0, data.rows, keys.size, dtype=np.uint64)
    return (keys << np.uint64(32)) | places


def _job(data: Data, stage: MinhashDedup, folder: Path) -> Job:
    """Returns the job of a data set of so many rows, none of them identical."""
    view = RowsView(tuple(BasePart(folder, f"part-{i:05d}") for i in range(data.parts)))
    base = tuple(data.rows * i // data.parts for i in range(data.parts + 1))
    none = pl.DataFrame(schema={"a": pl.UInt32, "b": pl.UInt32})
    job = Job(stage, view, Artifact(folder), data.rows, base=base, shares=shares_of(data.rows * 4 * data.shingles))
    for bucket in range(same_buckets(data.rows)):
        write_frame(job.part(bucket, "stars"), none)
    return job


def _write_bucket(job: Job, entries: Entries) -> None:
    """Writes the entries as the bundles would hold them: the row as its place in the bundle."""
    starts = np.array([job.starts(bundle) for bundle in range(job.bundles)], np.uint64)
    bundle = np.searchsorted(starts, entries & np.uint64(0xFFFFFFFF), side="right") - 1
    order = np.argsort(bundle, kind="stable")
    bounds = np.searchsorted(bundle[order], np.arange(job.bundles + 1))
    for number in range(job.bundles):
        mine = entries[order[bounds[number] : bounds[number + 1]]]
        write_slices(job.part(number, "keys"), [pl.DataFrame({"entry": mine - starts[number]})])


def slice_seconds(folder: Path, slices: int, rows: int) -> float:
    """Returns the CPU seconds it takes to open a file of so many slices and read one, from the page cache."""
    frame = pl.DataFrame({"entry": np.arange(rows, dtype=np.uint64)})
    paths = [folder / f"slices-{i}.arrow" for i in range(3)]
    for path in paths:
        write_slices(path, (frame for _ in range(slices)))
    rounds = 40
    before = time.process_time()
    for turn in range(rounds):
        for path in paths:
            read_slice(path, (turn * 7919) % slices)
    return (time.process_time() - before) / (rounds * len(paths))


def pairs_a_second(stage: Select, shingles: int) -> float:
    """Returns how many pairs of sets of this size one core compares in a second."""
    chance = np.random.default_rng(3)
    sets = np.sort(chance.integers(0, 1 << 32, (20_000, shingles), dtype=np.uint32), axis=1)
    sets[1::2, : int(shingles * 0.8)] = sets[::2, : int(shingles * 0.8)]
    sets.sort(axis=1)
    series = pl.Series(sets.tolist(), dtype=pl.List(pl.UInt32))
    a = np.arange(0, 20_000, 2)
    stage.similarity(series, a[:1], a[:1] + 1)
    before = time.process_time()
    for _ in range(10):
        stage.similarity(series, a, a + 1)
    return 10 * a.size / (time.process_time() - before)


def table(found: dict[str, float]) -> str:
    """Returns the figures as aligned lines."""
    return "\n".join(f"{name:34} {value:>20,.1f}" for name, value in found.items())


if __name__ == "__main__":
    main()
