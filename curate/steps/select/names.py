"""Names: from nodes back to rows, their positions, ids and groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.steps.select.job import Job
from curate.store import read_rows

_DTYPES: dict[str, Any] = {"row": pl.UInt32, "id": pl.String, "group": pl.String}


def named(job: Job, nodes: NDArray[Any], name: str) -> pl.Series:
    """Returns the row (position in its part), the id or the group of each node, in the order asked for."""
    wanted, place = np.unique(nodes, return_inverse=True)
    bounds = np.searchsorted(wanted, job.base)
    found = [pl.Series(name, [], _DTYPES[name])]
    for part in np.flatnonzero(np.diff(bounds)).tolist():
        row = _rows(job, part, wanted[bounds[part] : bounds[part + 1]].astype(np.int64) - job.base[part])
        found.append(row if name == "row" else read_rows(job.part(part, "rows"), row.to_numpy(), [name])[name])
    return pl.concat(found).gather(place)


def _rows(job: Job, part: int, at: NDArray[np.int64]) -> pl.Series:
    """Returns the rows of a part that its sketches ``at`` some places are of."""
    if not job.sparse:
        return pl.Series("row", at, dtype=pl.UInt32)
    return read_rows(job.part(part, "sketch"), at, ["row"])["row"]
