"""The phases that compare: features of the wanted rows gathered by bundle, similarity computed by share of pairs."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.steps.select.job import Job
from curate.steps.select.numbers import distinct
from curate.store import read_frame, read_slice, write_frame, write_slices

Round = tuple[Job, int, int, tuple[int, ...]]
"""Job, bundle or share, turn, and the shares that have work in this turn."""


def gather_bundle(task: Round) -> None:
    """Writes the features of a bundle's wanted rows, a slice for each share that needs them."""
    job, bundle, turn, shares = task
    parts = job.bundle(bundle)
    start, end = job.base[parts.start], job.base[parts.stop]
    wanted = []
    for share in shares:
        nodes = read_frame(job.part(share, f"wanted-{turn}"))["node"].to_numpy()
        wanted.append(nodes[np.searchsorted(nodes, start) : np.searchsorted(nodes, end)])
    nodes = distinct(np.concatenate(wanted))
    learned = job.learned()
    features = pl.concat([_features(job, part, nodes, learned) for part in parts])
    frame = pl.DataFrame({"node": nodes, "features": features})
    write_slices(job.part(bundle, f"features-{turn}"), (frame[np.searchsorted(nodes, mine)] for mine in wanted))


def _features(job: Job, part: int, nodes: NDArray[np.uint32], learned: pl.DataFrame | None) -> pl.Series:
    """Returns the features of those of some nodes (sorted) that lie in a part."""
    start, end = job.base[part], job.base[part + 1]
    at = nodes[np.searchsorted(nodes, start) : np.searchsorted(nodes, end)].astype(np.int64) - start
    if part < len(job.view):
        sketch = read_frame(job.part(part, "sketch"))[at]
        return job.stage.features(job.view.arrow_at(part, sketch["row"].to_numpy()), sketch, learned)
    return job.stage.reference_features(job.references[part - len(job.view)], at, learned)


def verify_share(task: Round) -> None:
    """Writes the similarity of every pair of a share."""
    job, share, turn, shares = task
    pairs = read_frame(job.part(share, f"pairs-{turn}"))["pair"].to_numpy()
    a, b = job.nodes_at(pairs >> np.uint64(32)), job.nodes_at(pairs & np.uint64(0xFFFFFFFF))
    bundles = distinct(job.bundle_of(distinct(np.concatenate([a, b]))))
    slices = [read_slice(job.part(int(i), f"features-{turn}"), shares.index(share)) for i in bundles]
    frame = pl.concat(slices)
    nodes = frame["node"].to_numpy()
    similarity = job.stage.similarity(frame["features"], np.searchsorted(nodes, a), np.searchsorted(nodes, b))
    write_frame(job.part(share, f"edges-{turn}"), pl.DataFrame({"pair": pairs, "score": similarity}))
