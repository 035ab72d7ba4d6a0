"""The phases that decide over the whole data set: which rows go for which, what is still to be compared, who is grouped.

Memory: about 60 bytes for each edge and for each row that has one; rows without edges cost nothing here but their
place in keep order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.files import write_bytes
from curate.steps.select.clusters import sample_clusters
from curate.steps.select.compiled import loops
from curate.steps.select.finding import read_pairs
from curate.steps.select.grouping import joined_groups
from curate.steps.select.job import Job
from curate.steps.select.matching import LEADERS, MOST_PAIRS, Pairs, share_of, stars, write_pairs
from curate.steps.select.names import named
from curate.steps.select.numbers import distinct, without
from curate.store import cut, read_frame, read_json, write_frame, write_slices

MAX_TURNS = 8
"""Rounds of comparing what the choice turned up; what is left then is counted and told."""


@dataclass(frozen=True)
class Choice:
    """The rows that have edges, in keep order, and what became of each."""

    places: NDArray[np.uint32]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    """Verified edges and stars, as indices into ``places``."""
    other: NDArray[np.int64]
    """Index of the row it is dropped for; -1 = it stays."""
    score: NDArray[np.float64]


def choose_turn(task: tuple[Job, int]) -> None:
    """Chooses by the edges found so far and writes which rows are to be compared next.

    A dropped row is no longer there to stand for what is like it, so its neighbours that stay are compared with each
    other, which also finds pairs that share no key.
    """
    job, turn = task
    pairs, scores = _compared(job, turn)
    hit = scores >= job.stage.least
    edges = pairs[hit]
    places, a, b = _indexed(edges)
    other, _ = _choose(a, b, scores[hit], places, job.fixed)
    stays = other < 0
    freed = np.concatenate([_entries(b, a, stays), _entries(a, b, stays)])
    no_bits = np.empty((places.size, 0), np.uint64)
    found, crowds = loops().pairs_of(np.sort(freed), no_bits, 0, 0, LEADERS, MOST_PAIRS)
    ends = places.astype(np.uint64)
    found = (ends[found >> np.uint64(32)] << np.uint64(32)) | ends[found & np.uint64(0xFFFFFFFF)]
    new = without(distinct(found[found & np.uint64(0xFFFFFFFF) >= job.earlier]), pairs)
    follow = new if turn + 1 < MAX_TURNS else new[:0]
    if follow.size:
        write_pairs(job, job.part(turn + 1, "follow"), follow)
    account = {
        "shares": distinct(share_of(job, follow)).tolist(),
        "compared": pairs.size,
        "edges": int(hit.sum()),
        "not_compared": int(crowds[3]) + new.size - follow.size,
    }
    write_bytes(job.account(turn, "chosen"), orjson.dumps(account))


def _entries(gone: NDArray[np.int64], kept: NDArray[np.int64], stays: NDArray[np.bool_]) -> Pairs:
    """Returns (dropped row, neighbour that stays) as entries of pairs that share a key."""
    hit = ~stays[gone] & stays[kept]
    return (gone[hit].astype(np.uint64) << np.uint64(32)) | kept[hit].astype(np.uint64)


def _compared(job: Job, turn: int) -> tuple[Pairs, NDArray[np.float64]]:
    """Returns every pair that was compared up to a turn, or found by the step before, sorted, with its similarity."""
    if job.found is not None:
        return read_pairs(job.found)
    frames = [pl.DataFrame(schema={"pair": pl.UInt64, "score": pl.Float64})]
    for t in range(turn + 1):
        for share in range(job.shares):
            if t == 0 or job.account(share, f"pairs-{t}").is_file():
                found = read_json(job.account(share, f"pairs-{t}"))
                frames += [read_frame(job.part(share, f"edges-{t}"))] if found["pairs"] else []
    frame = pl.concat(frames).sort("pair")
    return frame["pair"].to_numpy(), frame["score"].to_numpy()


def _indexed(pairs: Pairs) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Returns the places that pairs name, and the pairs as indices into them."""
    a, b = (pairs >> np.uint64(32)).astype(np.uint32), pairs.astype(np.uint32)
    places = distinct(np.concatenate([a, b]))
    return places, np.searchsorted(places, a), np.searchsorted(places, b)


def _choose(
    a: NDArray[np.int64], b: NDArray[np.int64], score: NDArray[np.float64], places: NDArray[np.uint32], fixed: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    order = np.lexsort((a, b))
    other, similar = loops().greedy(a[order], b[order], score[order], places.size, np.searchsorted(places, fixed))
    return other, similar


def decide(task: tuple[Job, int]) -> None:
    """Writes the verdicts, sliced by part, the groups that are joined, and samples of the largest clusters."""
    job, turns = task
    made = choice(job, turns, job.stage.least)
    write_slices(job.part(0, "verdicts"), _verdicts(job, made))
    stays = made.other < 0
    nodes = job.nodes_at(made.places)
    own = nodes < job.own
    inside = own[made.a] & own[made.b]
    component = loops().components(made.a[inside], made.b[inside], made.places.size)
    write_frame(job.part(0, "groups"), joined_groups(job, nodes[own], component[own], stays[own]))
    write_frame(job.part(0, "samples"), sample_clusters(job, nodes, component, made.other, made.score))


def choice(job: Job, turns: int, least: float) -> Choice:
    """Returns what becomes of every row with an edge; a row identical to a dropped one goes for the same row."""
    first, copy = stars(job)
    pairs, scores = _compared(job, turns - 1)
    hit = scores >= least
    star = (first.astype(np.uint64) << np.uint64(32)) | copy
    places, a, b = _indexed(np.concatenate([pairs[hit], star]))
    edges = int(hit.sum())
    other, score = _choose(a[:edges], b[:edges], scores[hit], places, job.fixed)
    first_at, copy_at = a[edges:], b[edges:]
    droppable = copy >= job.fixed
    first_at, copy_at = first_at[droppable], copy_at[droppable]
    gone = other[first_at] >= 0
    other[copy_at] = np.where(gone, other[first_at], first_at)
    score[copy_at] = np.where(gone, score[first_at], 1.0)
    return Choice(places, a, b, other, score)


def _verdicts(job: Job, made: Choice) -> list[pl.DataFrame]:
    dropped = np.flatnonzero(made.other >= 0)
    nodes = job.nodes_at(made.places[dropped])
    others = job.nodes_at(made.places[made.other[dropped]])
    at = np.argsort(nodes)
    nodes, others = nodes[at], others[at]
    frame = named(job, nodes, "row").to_frame()
    frame = frame.with_columns(
        reason=pl.Series(job.stage.reasons, dtype=pl.String).gather(pl.Series(others >= job.own).cast(pl.UInt32)),
        other_id=named(job, others, "id"),
        score=pl.Series(made.score[dropped][at]),
    )
    return cut(frame, job.part_of(nodes), len(job.view))


def totals(job: Job, turns: int) -> dict[str, Any]:
    """Returns what a finished Select counted: pairs compared, edges, and what was not compared for its number."""
    matched = [read_json(job.account(bucket, "found")) for bucket in range(job.key_buckets)]
    chosen = [read_json(job.account(turn, "chosen")) for turn in range(turns)]
    last = chosen[-1] if chosen else {"compared": 0, "edges": 0}
    return {
        "identical": int(stars(job)[1].size),
        "compared": last["compared"],
        "edges": last["edges"],
        "rounds": turns,
        "crowds": sum(m["crowds"] for m in matched),
        "largest_crowd": max((m["largest_crowd"] for m in matched), default=0),
        "not_compared": sum(m["not_compared"] for m in matched) + sum(c["not_compared"] for c in chosen),
    }
