"""The sweep: how many rows each threshold would drop, from the pairs that were found, with pairs to look at.

The choice is made anew for every hundredth from the least similarity that was noted up to 1, which costs a pass over
the pairs each and compares nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from curate.files import write_bytes
from curate.nearest import LEVEL, MOST_PAIRS, SCALE
from curate.steps.select.choosing import Choice, choice
from curate.steps.select.clusters import said
from curate.steps.select.finding import read_pairs
from curate.steps.select.job import Job
from curate.steps.select.names import named
from curate.store import Artifact

SWEEP = "sweep.jsonl"
SHOWN = 3
"""Pairs of each hundredth that are shown: the first ones in keep order."""


def write_sweep(task: tuple[Job, int]) -> None:
    """Writes a line for each threshold: rows it drops, and pairs with a similarity from it to the next."""
    job, _ = task
    assert job.found is not None
    pairs, scores = read_pairs(job.found)
    whole = np.rint(scores * SCALE).astype(np.int64)
    floor = int(job.found.meta["select"]["floor"])
    steps = range(-(-floor // LEVEL) * LEVEL, SCALE + 1, LEVEL)
    shown = [np.flatnonzero((whole >= step) & (whole < step + LEVEL))[:SHOWN] for step in steps]
    samples = _samples(job, pairs[np.concatenate([np.empty(0, np.int64), *shown])])
    lines, at = [], 0
    for step, some in zip(steps, shown, strict=True):
        told = [{"score": float(scores[pair]), **samples[at + i]} for i, pair in enumerate(some)]
        at += some.size
        lines.append({"threshold": step / SCALE, **_outcome(choice(job, 0, step / SCALE)), "pairs": told})
    write_bytes(job.artifact.folder / SWEEP, b"".join(orjson.dumps(x, option=orjson.OPT_APPEND_NEWLINE) for x in lines))


def _outcome(made: Choice) -> dict[str, int]:
    """Returns how many rows go, and how many stay although there may be a row they should go for.

    These have as many pairs as are noted, all with rows that went.
    """
    better = np.bincount(made.b, minlength=made.places.size)
    stays = made.other < 0
    return {"rows_dropped": int((~stays).sum()), "rows_undecided": int((stays & (better >= MOST_PAIRS)).sum())}


def _samples(job: Job, pairs: NDArray[np.uint64]) -> list[dict[str, Any]]:
    """Returns ids and the beginnings of the texts of pairs."""
    ends = [job.nodes_at(pairs >> np.uint64(32)), job.nodes_at(pairs & np.uint64(0xFFFFFFFF))]
    ids = [named(job, nodes, "id").to_list() for nodes in ends]
    texts: dict[str, str] = said(job, np.concatenate(ends))
    return [
        {"id": a, "text": texts.get(a, ""), "other_id": b, "other_text": texts.get(b, "")}
        for a, b in zip(*ids, strict=True)
    ]


def sweep_totals(artifact: Artifact) -> list[dict[str, Any]]:
    """Returns threshold, rows_dropped and rows_undecided of each line of a sweep."""
    lines = [orjson.loads(line) for line in read_sweep(artifact).splitlines()]
    return [{name: value for name, value in line.items() if name != "pairs"} for line in lines]


def read_sweep(artifact: Artifact) -> bytes:
    """Returns the sweep of a finished Select, as JSON Lines; empty where there is none."""
    path = artifact.folder / SWEEP
    return path.read_bytes() if path.is_file() else b""
