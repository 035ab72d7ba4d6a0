"""The phases that find what to compare: identical rows by digest, candidates by key, each pair once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.files import write_bytes
from curate.steps.select.compiled import loops
from curate.steps.select.job import Job
from curate.steps.select.numbers import distinct
from curate.steps.select.sketching import DIGEST
from curate.store import cut, read_frame, read_slice, write_frame, write_slices

Task = tuple[Job, int]
Places = NDArray[np.uint32]
Pairs = NDArray[np.uint64]

LEADERS = 128
"""Rows that share a key are all looked at with each other up to this number; of more, each with the first ones."""

MOST_PAIRS = 16
"""A row becomes a candidate with at most so many better rows that share a key with it, the best ones."""


def same_bucket(task: Task) -> None:
    """Writes a star (a kept first, b) for every set of identical rows of a bucket."""
    job, bucket = task
    found = [_digests(job, bundle, bucket) for bundle in range(job.bundles)]
    high, low, node = (np.concatenate([digests[column] for digests in found]) for column in range(3))
    frame = pl.DataFrame({"high": high, "low": low, "place": job.places_of(node)})
    repeated = frame.filter(frame["high"].is_duplicated()).sort("high", "low", "place")
    differs = repeated["high"].ne_missing(repeated["high"].shift()) | repeated["low"].ne_missing(
        repeated["low"].shift()
    )
    starts = differs.to_numpy()
    place = repeated["place"].to_numpy()
    first = place[np.flatnonzero(starts)][np.cumsum(starts) - 1] if place.size else place
    copies = ~starts & (place >= job.earlier)
    stars = pl.DataFrame({"a": first[copies], "b": place[copies]}, schema={"a": pl.UInt32, "b": pl.UInt32})
    write_frame(job.part(bucket, "stars"), stars.sort("b"))


def _digests(job: Job, bundle: int, bucket: int) -> tuple[Pairs, Pairs, Pairs]:
    """Returns high and low half of the digest, and the node, of the rows of a bundle that are in a bucket."""
    if job.same_buckets > 1:
        found = read_slice(job.part(bundle, "digests"), bucket)
        at = found["at"].to_numpy().astype(np.uint64)
    else:
        found = pl.concat([read_frame(job.part(part, "sketch"), DIGEST) for part in job.bundle(bundle)])
        at = np.arange(found.height, dtype=np.uint64)
    return found["high"].to_numpy(), found["low"].to_numpy(), at + np.uint64(job.starts(bundle))


def stars(job: Job) -> tuple[Places, Places]:
    """Returns (first, place) of every row that is identical to a better one."""
    frame = pl.concat([read_frame(job.part(bucket, "stars")) for bucket in range(job.same_buckets)])
    return frame["a"].to_numpy(), frame["b"].to_numpy()


def mark_copies(task: Task) -> None:
    """Writes a bit for every place, set where the row is identical to a better one."""
    job, _ = task
    bits = np.zeros(-(-job.nodes // 8), np.uint8)
    for bucket in range(job.same_buckets):
        place = read_frame(job.part(bucket, "stars"))["b"].to_numpy()
        np.bitwise_or.at(bits, place >> 3, (1 << (place & 7)).astype(np.uint8))
    write_frame(job.part(0, "copies"), pl.DataFrame({"bits": bits}))


def gather_bits(task: Task) -> None:
    """Writes the bits of the rows at all places behind each other, for every bucket of keys to map."""
    job, _ = task
    names = [f"bits-{word}" for word in range(job.stage.bit_words)]
    found = np.empty((job.nodes, len(names)), np.uint64)
    for part in range(job.parts):
        frame = read_frame(job.part(part, "sketch"), names)
        for word, name in enumerate(names):
            found[job.base[part] : job.base[part + 1], word] = frame[name].to_numpy()
    ordered = found[job.nodes_at(np.arange(job.nodes))] if job.ranked else found
    write_frame(job.part(0, "bits"), pl.DataFrame({"bits": ordered.ravel()}))


def match_bucket(task: Task) -> None:
    """Writes the candidate pairs of a bucket of keys, sliced by share; of identical rows only the first is a candidate."""
    job, bucket = task
    copies = read_frame(job.part(0, "copies"))["bits"].to_numpy()
    found = []
    for bundle in range(job.bundles):
        entries = read_slice(job.part(bundle, "keys"), bucket)["entry"].to_numpy()
        place = job.places_of((entries & np.uint64(0xFFFFFFFF)).astype(np.int64) + job.starts(bundle))
        keys = entries & np.uint64(0xFFFFFFFF00000000)
        found.append((keys | place)[(copies[place >> 3] >> (place & 7)) & 1 == 0])
    entries = distinct(loops().meeting(np.concatenate(found)))
    pairs, crowds = loops().pairs_of(entries, job.bits(), job.stage.most_bits_apart, job.earlier, LEADERS, MOST_PAIRS)
    write_pairs(job, job.part(bucket, "found"), distinct(pairs))
    account = dict(zip(("crowds", "crowd_rows", "largest_crowd", "not_compared"), map(int, crowds), strict=True))
    write_bytes(job.account(bucket, "found"), orjson.dumps(account))


def write_pairs(job: Job, path: Path, pairs: Pairs) -> None:
    """Writes pairs (the better place in the high half, sorted), sliced by share."""
    write_slices(path, cut(pl.DataFrame({"pair": pairs}), share_of(job, pairs), job.shares))


def share_of(job: Job, pairs: Pairs) -> NDArray[np.uint64]:
    """Returns the share of each pair: by its better row, in equal ranges of places."""
    return (pairs >> np.uint64(32)) * np.uint64(job.shares) // np.uint64(max(1, job.nodes))


def pairs_of_share(task: tuple[Job, int, int]) -> None:
    """Writes each pair of a share once, and the nodes they need, for one round."""
    job, share, turn = task
    if turn == 0:
        files = [job.part(bucket, "found") for bucket in range(job.key_buckets)]
    else:
        files = [job.part(turn, "follow")]
    pairs = distinct(np.concatenate([read_slice(path, share)["pair"].to_numpy() for path in files]))
    nodes = np.sort(job.nodes_at(_ends(pairs)))
    bundles = distinct(job.bundle_of(nodes))
    write_frame(job.part(share, f"pairs-{turn}"), pl.DataFrame({"pair": pairs}))
    write_frame(job.part(share, f"wanted-{turn}"), pl.DataFrame({"node": nodes}))
    account = {"pairs": pairs.size, "bundles": bundles.tolist()}
    write_bytes(job.account(share, f"pairs-{turn}"), orjson.dumps(account))


def _ends(pairs: Pairs) -> Places:
    return distinct(np.concatenate([(pairs >> np.uint64(32)).astype(np.uint32), pairs.astype(np.uint32)]))
