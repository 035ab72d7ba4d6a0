"""Clusters: the largest sets of connected rows, with a few of their rows to look at."""

from __future__ import annotations

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.files import write_bytes
from curate.rows import turns
from curate.steps.select.job import Job
from curate.steps.select.names import named
from curate.store import Artifact, read_frame

SHOWN = 20
"""Clusters that are reported."""
SAMPLES = 5
"""Rows of each that are shown, those that stay first."""
CHARACTERS = 300
FILE = "clusters.jsonl"


def sample_clusters(
    job: Job,
    nodes: NDArray[np.uint32],
    component: NDArray[np.int64],
    other: NDArray[np.int64],
    score: NDArray[np.float64],
) -> pl.DataFrame:
    """Returns the sampled rows of the largest clusters, one line each, in keep order with rows that stay first."""
    own = nodes < job.own
    size = np.bincount(component[own], minlength=component.size)
    kept = np.bincount(component[own & (other < 0)], minlength=component.size)
    largest = np.lexsort((np.arange(size.size), -size))[:SHOWN]
    frames = [pl.DataFrame(schema={"cluster": pl.UInt32, "rows": pl.Int64, "kept": pl.Int64})]
    samples: list[NDArray[np.int64]] = []
    for number, root in enumerate(largest[size[largest] > 1]):
        members = np.flatnonzero(own & (component == root))
        shown = members[np.lexsort((members, other[members] >= 0))][:SAMPLES]
        samples.append(shown)
        same = pl.DataFrame({"cluster": [number], "rows": [size[root]], "kept": [kept[root]]}, schema=frames[0].schema)
        frames.append(pl.concat([same] * shown.size))
    at = np.concatenate([np.empty(0, np.int64), *samples]).astype(np.int64)
    gone = other[at] >= 0
    ids = named(job, nodes[np.concatenate([at, np.where(gone, other[at], at)])], "id")
    chosen = pl.concat(frames).with_columns(
        node=pl.Series(nodes[at], dtype=pl.UInt32), id=ids[: at.size], gone=pl.Series(gone)
    )
    return chosen.with_columns(
        other_id=pl.when("gone").then(ids[at.size :]),
        score=pl.when("gone").then(pl.Series(score[at], dtype=pl.Float64)),
    )


def write_clusters(task: tuple[Job, int]) -> None:
    """Writes the clusters as JSON Lines: rows, kept, and samples with the beginning of their text."""
    job, _ = task
    samples = read_frame(job.part(0, "samples"))
    texts = said(job, samples["node"].to_numpy())
    lines = []
    for _, cluster in samples.group_by("cluster", maintain_order=True):
        shown = [
            {"id": line["id"], "other_id": line["other_id"], "score": line["score"], "text": texts.get(line["id"], "")}
            for line in cluster.iter_rows(named=True)
        ]
        lines.append({"rows": cluster["rows"][0], "kept": cluster["kept"][0], "samples": shown})
    write_bytes(job.artifact.folder / FILE, b"".join(orjson.dumps(x, option=orjson.OPT_APPEND_NEWLINE) for x in lines))


def said(job: Job, nodes: NDArray[np.uint32]) -> dict[str, str]:
    """Returns the beginning of what is said in some rows, by id."""
    parts, places = job.part_of(nodes), named(job, nodes, "row").to_numpy().astype(np.int64)
    texts: dict[str, str] = {}
    for part in np.unique(parts).tolist():
        rows = job.view.arrow_at(part, np.unique(places[parts == part])).frame()
        told = turns(rows).filter(pl.col("role") != "system").group_by("row").agg(pl.col("text").str.join("\n"))
        texts |= {rows["id"][row]: text[:CHARACTERS] for row, text in told.iter_rows()}
    return texts


def read_clusters(artifact: Artifact) -> bytes:
    """Returns the clusters a finished Select reported, as JSON Lines."""
    path = artifact.folder / FILE
    return path.read_bytes() if path.is_file() else b""
