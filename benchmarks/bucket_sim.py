"""One bucket of the keys of a very large data set, matched for real, and what all buckets come to.

    python benchmarks/bucket_sim.py --rows 1000000000

The bucket holds as many keys as it would: keys that rows have alone, keys that near-duplicates share, and a crowd (a
template many rows share). It lies in as many files as `--parts`, goes through the step's own `match_bucket`, and its pairs
through the stage's own Jaccard. Counts and CPU seconds are then multiplied by the number of buckets. How long it takes to
open the slice of a bucket is measured on files of as many slices as there would be.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.stage import Select
from curate.stages.dedup.minhash_dedup import MinhashDedup
from curate.steps.ingest import PART_BYTES
from curate.steps.select.job import BYTES_PER_SHARE, MAX_ROWS, MOST_FILTERED, Job, key_buckets, same_buckets
from curate.steps.select.matching import match_bucket
from curate.store import Artifact, BasePart, RowsView, read_json, read_slice, write_frame, write_slices

Entries = NDArray[np.uint64]


def main() -> None:
    """Parses, simulates, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000_000)
    parser.add_argument("--row-bytes", type=int, default=1400, help="of input, for the number of parts")
    parser.add_argument("--shingles", type=int, default=300, help="in a row's set")
    parser.add_argument("--duplicated", type=float, default=0.2, help="share of rows with a near-duplicate")
    parser.add_argument("--cluster", type=float, default=4, help="mean size of their clusters")
    parser.add_argument("--crowd", type=int, default=100_000, help="rows that share one key of this bucket")
    parser.add_argument("--parts", type=int, default=256, help="files the bucket's keys are read from here")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if not MOST_FILTERED < asked.rows < MAX_ROWS:
        parser.error(
            f"--rows: more than {MOST_FILTERED:,} (smaller data is filtered by bits) and less than {MAX_ROWS:,}"
        )
    with tempfile.TemporaryDirectory() as folder:  # compiled before it is timed
        _matched(
            argparse.Namespace(**{**vars(asked), "rows": MOST_FILTERED + 1, "crowd": 10, "parts": 1}), Path(folder)
        )
    with tempfile.TemporaryDirectory() as folder:
        found = simulate(asked, Path(folder))
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() if asked.json else table(found))


def simulate(asked: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Returns what one bucket took, and what all take."""
    job, keys, cpu = _matched(asked, folder)
    stage, buckets = job.stage, job.key_buckets
    account = read_json(job.account(0, "found"))
    pairs = sum(read_slice(job.part(0, "found"), share).height for share in range(job.shares))
    opening = slice_seconds(folder, buckets, asked.rows * stage.keys_per_row // buckets // max(1, _parts(asked)))
    verifying = 1 / pairs_a_second(stage, asked.shingles)
    return {
        "rows": asked.rows,
        "parts": _parts(asked),
        "keys_per_row": stage.keys_per_row,
        "buckets": buckets,
        "keys_in_bucket": keys,
        "bucket_cpu_s": cpu,
        "bucket_pairs": pairs,
        "bucket_crowds": account["crowds"],
        "bucket_pairs_left_out_by_crowds": account["not_compared"],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "slice_open_us": opening * 1e6,
        "shuffle_gb": asked.rows * stage.keys_per_row * 8 / 1e9,
        "match_core_hours": buckets * cpu / 3600,
        "open_core_hours": buckets * _parts(asked) * opening / 3600,
        "pairs": pairs * buckets,
        "verify_core_hours": pairs * buckets * verifying / 3600,
    }


def _matched(asked: argparse.Namespace, folder: Path) -> tuple[Job, int, float]:
    """Makes one bucket and matches it; returns the job, the keys of the bucket and the CPU seconds."""
    stage = MinhashDedup()
    job = _job(asked, stage, folder)
    entries = bucket_entries(asked, stage, key_buckets(stage, asked.rows))
    _write_bucket(job, entries)
    before = _cpu()
    match_bucket((job, 0))
    return job, entries.size, _cpu() - before


def bucket_entries(asked: argparse.Namespace, stage: MinhashDedup, buckets: int) -> Entries:
    """Returns the entries of one bucket: 32 bits of key, 32 of row; every row of the data is as likely in it."""
    chance = np.random.default_rng(17)
    total = asked.rows * stage.keys_per_row // buckets
    clusters = int(total * asked.duplicated / asked.cluster)
    sizes = 2 + chance.poisson(asked.cluster - 2, clusters)
    shares = chance.uniform(0.75, 0.98, clusters) ** stage.bands.rows  # how likely a member has the cluster's key
    members = chance.binomial(sizes, shares)
    shared = np.repeat(chance.integers(0, 1 << 32, clusters, dtype=np.uint64), members)
    crowd = np.full(asked.crowd, chance.integers(0, 1 << 32, dtype=np.uint64), np.uint64)
    alone = chance.integers(0, 1 << 32, max(0, total - shared.size - crowd.size), dtype=np.uint64)
    keys = np.concatenate([shared, crowd, alone])
    places = chance.integers(0, asked.rows, keys.size, dtype=np.uint64)
    return (keys << np.uint64(32)) | places


def _parts(asked: argparse.Namespace) -> int:
    return -(-asked.rows * asked.row_bytes // PART_BYTES)


def _job(asked: argparse.Namespace, stage: MinhashDedup, folder: Path) -> Job:
    """Returns the job of a data set of so many rows that lies in a few large parts."""
    view = RowsView(tuple(BasePart(folder, f"part-{i:05d}") for i in range(asked.parts)))
    base = tuple(asked.rows * i // asked.parts for i in range(asked.parts + 1))
    job = Job(stage, view, Artifact(folder), asked.rows)
    shares = max(1, -(-asked.rows * 4 * asked.shingles // BYTES_PER_SHARE))
    none = pl.DataFrame(schema={"a": pl.UInt32, "b": pl.UInt32})
    for bucket in range(same_buckets(asked.rows)):
        write_frame(job.part(bucket, "stars"), none)
    return replace(job, base=base, shares=shares)


def _write_bucket(job: Job, entries: Entries) -> None:
    """Writes the entries as the parts would hold them: the row as its place in the part."""
    base = np.array(job.base, np.uint64)
    part = np.searchsorted(base, entries & np.uint64(0xFFFFFFFF), side="right") - 1
    order = np.argsort(part, kind="stable")
    bounds = np.searchsorted(part[order], np.arange(job.parts + 1))
    for number in range(job.parts):
        mine = entries[order[bounds[number] : bounds[number + 1]]]
        write_slices(job.part(number, "keys"), [pl.DataFrame({"entry": mine - base[number]})])


def slice_seconds(folder: Path, slices: int, rows: int) -> float:
    """Returns the CPU seconds it takes to open a file of so many slices and read one, from the page cache."""
    frame = pl.DataFrame({"entry": np.arange(max(1, rows), dtype=np.uint64)})
    paths = [folder / f"slices-{i}.arrow" for i in range(3)]
    for path in paths:
        write_slices(path, (frame for _ in range(slices)))
    rounds = 40
    before = _cpu()
    for turn in range(rounds):
        for path in paths:
            read_slice(path, (turn * 7919) % slices)
    return (_cpu() - before) / (rounds * len(paths))


def pairs_a_second(stage: Select, shingles: int) -> float:
    """Returns how many pairs of sets of this size one core compares in a second."""
    chance = np.random.default_rng(3)
    sets = np.sort(chance.integers(0, 1 << 32, (20_000, shingles), dtype=np.uint32), axis=1)
    sets[1::2, : int(shingles * 0.8)] = sets[::2, : int(shingles * 0.8)]
    sets.sort(axis=1)
    series = pl.Series(sets.tolist(), dtype=pl.List(pl.UInt32))
    a = np.arange(0, 20_000, 2)
    stage.similarity(series, a[:1], a[:1] + 1)
    before = _cpu()
    for _ in range(10):
        stage.similarity(series, a, a + 1)
    return 10 * a.size / (_cpu() - before)


def _cpu() -> float:
    return time.process_time()


def table(found: dict[str, float]) -> str:
    """Returns the figures as aligned lines."""
    return "\n".join(f"{name:34} {value:>20,.1f}" for name, value in found.items())


if __name__ == "__main__":
    main()
