"""Split: validation rows for each ability, as whole groups, chosen by a keyed hash of the group.

A group is never cut, so no dialogue, no expanded child and no near-duplicate stands on both sides; one that spans
abilities is trained on, because it would break their quotas. The choice for a
group depends on the seed and its own id alone: adding rows elsewhere moves no group that was already held out,
unless its ability's quota changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.pool import PoolIndex
from curate.ranks import keyed_ranks
from curate.steps.spec import SplitSpec
from curate.store import Artifact, read_frame, write_frame

Rows = NDArray[np.int64]
_GROUP = ["high", "low"]


def run_split(index: PoolIndex, artifact: Artifact, identity: bytes, spec: SplitSpec, seed: int) -> Iterator[int]:
    """Chooses the validation rows of a pool and writes them down, by ability."""
    chosen, table = choose_validation(index, spec, seed)
    frame = pl.DataFrame({"row": chosen, "ability": index.ability[chosen].astype(np.int16)})
    write_frame(artifact.folder / "validation.arrow", frame)
    artifact.finish(identity, {"abilities": table, "rows": len(index), "validation": len(chosen)})
    yield 1


def validation_rows(artifact: Artifact) -> Rows:
    """Returns the validation rows of a finished split, ascending."""
    rows: Rows = read_frame(artifact.folder / "validation.arrow")["row"].to_numpy()
    return rows


def training_rows(artifact: Artifact, rows: int) -> Rows:
    """Returns the rows of the pool that are not held out, ascending."""
    keep = np.ones(rows, dtype=bool)
    keep[validation_rows(artifact)] = False
    return np.flatnonzero(keep)


def choose_validation(index: PoolIndex, spec: SplitSpec, seed: int) -> tuple[Rows, dict[str, dict[str, Any]]]:
    """Returns validation rows (ascending) and what each ability asked for and got.

    Groups are taken in the order of their rank while they fit into the ability's quota: ``validation`` rows, or
    ``max_share`` of its rows when that is less.
    """
    groups = pl.DataFrame(
        {
            "high": index.groups[:, 0],
            "low": index.groups[:, 1],
            "rank": keyed_ranks(index.groups, seed, "split"),
            "ability": index.ability,
        }
    )
    sizes = groups.group_by("ability", *_GROUP).agg(pl.len().alias("rows"), pl.col("rank").first())
    whole = sizes.select(pl.struct(_GROUP).is_unique().alias("whole"))["whole"]
    taken = []
    table: dict[str, dict[str, Any]] = {}
    for code, name in enumerate(index.ability_names):
        available = int((index.ability == code).sum())
        mine = sizes.filter(whole & (sizes["ability"] == code)).sort("rank", *_GROUP)
        quota = min(spec.validation, int(available * spec.max_share))
        taken.append(_take(mine, quota))
        table[name] = {"available": available, "asked": spec.validation, "quota": quota}
    held = groups.with_row_index("row").join(pl.concat(taken), on=_GROUP, how="semi") if taken else groups.clear()
    rows = np.sort(held["row"].to_numpy().astype(np.int64)) if taken else np.empty(0, np.int64)
    for code, name in enumerate(index.ability_names):
        table[name]["rows"] = int((index.ability[rows] == code).sum())
    return rows, table


def _take(groups: pl.DataFrame, quota: int) -> pl.DataFrame:
    """Returns the groups, in order of rank, that fit into the quota one after the other."""
    taken, total = [], 0
    for place, rows in enumerate(groups["rows"]):
        if total >= quota:
            break
        if total + rows <= quota:
            taken.append(place)
            total += rows
    return groups[taken].select(_GROUP)
