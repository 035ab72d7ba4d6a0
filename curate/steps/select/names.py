"""Names: from nodes back to rows, their positions, ids and groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.steps.select.job import Job
from curate.store import read_frame


def named(job: Job, nodes: NDArray[Any]) -> pl.DataFrame:
    """Returns row (position in its part), id and group of each node, in the order asked for."""
    wanted, place = np.unique(nodes, return_inverse=True)
    parts = job.part_of(wanted)
    frames = [pl.DataFrame(schema={"row": pl.UInt32, "id": pl.String, "group": pl.String})]
    for part in np.unique(parts):
        at = wanted[parts == part].astype(np.int64) - job.base[part]
        row = read_frame(job.part(int(part), "sketch"), ["row"])["row"].gather(at)
        rows = read_frame(job.part(int(part), "rows"), ["id", "group"])
        frames.append(rows[row].select(row=row, id="id", group="group"))
    return pl.concat(frames)[place]
