"""The phases that compare: features of the wanted rows gathered by part, similarity computed by share of pairs."""

from __future__ import annotations

import numpy as np
import polars as pl

from curate.steps.select.job import Job
from curate.steps.select.numbers import distinct
from curate.store import read_frame, read_slice, write_frame, write_slices

Round = tuple[Job, int, int, tuple[int, ...]]
"""Job, part or share, turn, and the shares (or parts) that have work in this turn."""


def gather_part(task: Round) -> None:
    """Writes the features of a part's wanted rows, a slice for each share that needs them."""
    job, part, turn, shares = task
    start, end = job.base[part], job.base[part + 1]
    wanted = []
    for share in shares:
        nodes = read_frame(job.part(share, f"wanted-{turn}"))["node"].to_numpy()
        wanted.append(nodes[np.searchsorted(nodes, start) : np.searchsorted(nodes, end)].astype(np.int64) - start)
    at = distinct(np.concatenate(wanted))
    if part < len(job.view):
        sketch = read_frame(job.part(part, "sketch"))[at]
        features = job.stage.features(job.view.read(part)[sketch["row"]], sketch, job.learned())
    else:
        features = job.stage.reference_features(job.references[part - len(job.view)], at, job.learned())
    frame = pl.DataFrame({"node": (at + start).astype(np.uint32), "features": features})
    write_slices(job.part(part, f"features-{turn}"), [frame[np.searchsorted(at, mine)] for mine in wanted])


def verify_share(task: Round) -> None:
    """Writes the similarity of every pair of a share."""
    job, share, turn, shares = task
    pairs = read_frame(job.part(share, f"pairs-{turn}"))["pair"].to_numpy()
    order = job.nodes_in_order()
    a, b = order[pairs >> np.uint64(32)], order[pairs & np.uint64(0xFFFFFFFF)]
    parts = distinct(job.part_of(distinct(np.concatenate([a, b]))))
    slices = [read_slice(job.part(int(p), f"features-{turn}"), shares.index(share)) for p in parts]
    frame = pl.concat(slices)
    nodes = frame["node"].to_numpy()
    similarity = job.stage.similarity(frame["features"], np.searchsorted(nodes, a), np.searchsorted(nodes, b))
    write_frame(job.part(share, f"edges-{turn}"), pl.DataFrame({"pair": pairs, "score": similarity}))
