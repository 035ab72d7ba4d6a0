"""Groups: rows connected by edges share one group afterwards, so that a split never parts what is alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.steps.select.compiled import loops
from curate.steps.select.job import Job
from curate.steps.select.names import named
from curate.store import read_json


def joined_groups(
    job: Job, nodes: NDArray[np.uint32], component: NDArray[np.int64], stays: NDArray[np.bool_]
) -> pl.DataFrame:
    """Returns old and new for each group that is renamed: to the smallest of a row that stays in its component.

    A component is never collapsed, it only shares a group; so do the siblings (rows of one group already) of its rows.
    """
    siblings = any(read_json(job.account(bundle, "sketch"))["siblings"] for bundle in range(job.bundles))
    if not siblings:  # a dropped row's group is then its own, and goes with it
        kept = np.bincount(component[stays], minlength=int(component.max(initial=-1)) + 1)
        chosen = stays & (kept[component] > 1)
        nodes, component, stays = nodes[chosen], component[chosen], stays[chosen]
    groups = named(job, nodes, "group")
    names = groups.unique().sort()
    code = names.search_sorted(groups).to_numpy().astype(np.int64) if nodes.size else np.empty(0, np.int64)
    connected, at = np.unique(component, return_index=True)
    first: NDArray[Any] = code[at][np.searchsorted(connected, component)]
    whole = loops().components(code, first, len(names))
    new = np.full(len(names), len(names), np.int64)
    np.minimum.at(new, whole[code[stays]], code[stays])
    found = pl.DataFrame({"old": names, "new": names.gather(new[whole])}, schema={"old": pl.String, "new": pl.String})
    return found.filter(pl.col("old") != pl.col("new"))
