"""The phases of a Select that finds: rows spread over cells of similar vectors, and the pairs of every cell.

    cells ─► spread ─► count ─► found ─► merged into pairs.arrow, which a Select that decides reads
    once     by part   once     strip    once

Pairs are those of places in keep order with the better one in the high half, and a score in parts of 10,000. Memory:
the vectors of one cell at one byte a number (up to 65,536 rows, and 1,048,576 where that many rows point the same
way), about 30 MB of dot products, and 12 bytes for each pair while they are merged.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.files import write_bytes
from curate.ledger import count, empty
from curate.nearest import SCALE, Cell, cells_for, matrix, nearest_cells, similar_pairs, trained_cells
from curate.nearest.cells import TRAINED_ON
from curate.steps.select.job import Job
from curate.steps.select.matching import stars
from curate.steps.transform import counts_path, tally_by_source
from curate.store import Artifact, cut, read_frame, read_json, read_slice, write_frame, write_slices

PAIRS = "pairs.arrow"
ROWS_PER_STRIP = 8192
"""Rows whose pairs one task finds."""

LEADERS = 1 << 20
"""In a cell of more rows each is compared with so many of the first ones."""


def learn_cells(task: tuple[Job, int]) -> None:
    """Writes the middles of the cells, learned from the rows with the smallest digests; without any, all is one cell."""
    job, _ = task
    cells = cells_for(job.nodes)
    if cells == 1:
        write_frame(job.part(0, "cells"), pl.DataFrame({"vector": [b""]}))
        return
    wanted = cells * TRAINED_ON
    share = int(min(1.0, 1.5 * wanted / job.nodes) * (1 << 64))
    frames = []
    for part in range(job.parts):
        sketch = read_frame(job.part(part, "sketch"), ["high", "low", "vector"])
        frames.append(sketch.filter(pl.col("high") < pl.lit(min(share, (1 << 64) - 1), dtype=pl.UInt64)))
    sample = pl.concat(frames).unique(["high", "low"], keep="first", maintain_order=True).sort("high", "low")
    middles = trained_cells(matrix(sample["vector"][:wanted]), min(cells, sample.height))
    write_frame(job.part(0, "cells"), pl.DataFrame({"vector": [row.tobytes() for row in middles]}))


def _middles(job: Job) -> NDArray[np.float32]:
    found = read_frame(job.part(0, "cells"))["vector"].to_list()
    return np.stack([np.frombuffer(middle, np.float32) for middle in found])


def spread_part(task: tuple[Job, int]) -> None:
    """Writes vector, salt and place of a part's rows, sliced by cell; of identical rows the first alone."""
    job, part = task
    sketch = read_frame(job.part(part, "sketch"), ["vector", "salt"])
    place = job.places_of(np.arange(job.base[part], job.base[part + 1])).astype(np.uint32)
    copies = read_frame(job.part(0, "copies"))["bits"].to_numpy()
    alone = (copies[place >> 3] >> (place & 7)) & 1 == 0
    rows = sketch.with_columns(place=pl.Series(place)).filter(pl.Series(alone))
    middles = _middles(job)
    cells = nearest_cells(matrix(rows["vector"]), middles)
    at = np.repeat(np.arange(rows.height), cells.shape[1])
    order = np.argsort(cells.ravel(), kind="stable")
    buckets = cells.ravel()[order]
    write_slices(job.part(part, "spread"), cut(rows[at[order]], buckets, len(middles)))
    sizes = np.bincount(buckets, minlength=len(middles))
    write_bytes(job.account(part, "spread"), orjson.dumps({"sizes": sizes.tolist()}))


def strips(job: Job) -> list[tuple[int, int]]:
    """Returns what there is to find: cells and the first row of a strip in each."""
    sizes = _sizes(job).tolist()
    return [(cell, start) for cell, size in enumerate(sizes) for start in range(0, size, ROWS_PER_STRIP)]


def _sizes(job: Job) -> NDArray[np.int64]:
    """Returns the number of rows of each cell."""
    accounts = [read_json(job.account(part, "spread"))["sizes"] for part in range(job.parts)]
    return np.sum(np.array(accounts, np.int64), axis=0)


def find_strip(task: tuple[Job, int, int, int]) -> None:
    """Writes the pairs of a strip of a cell."""
    job, number, cell, start = task
    rows = pl.concat([read_slice(job.part(part, "spread"), cell) for part in range(job.parts)]).sort("place")
    mine = rows["place"].to_numpy()[start : start + ROWS_PER_STRIP]
    rows = rows.filter(rows["salt"].is_duplicated())
    place = rows["place"].to_numpy()
    first, end = np.searchsorted(place, [mine[0], mine[-1] + 1]).tolist()
    vectors = matrix(rows["vector"])
    found = similar_pairs(Cell(vectors, rows["salt"].to_numpy()), first, end, round(job.stage.least * SCALE), LEADERS)
    pairs = (place[found.a].astype(np.uint64) << np.uint64(32)) | place[found.b]
    frame = pl.DataFrame({"pair": pairs, "score": found.score.astype(np.uint16)})
    write_frame(job.part(number, "found"), frame.sort("pair"))
    beyond = max(0, end - max(first, LEADERS)) * (len(rows) - LEADERS)
    write_bytes(job.account(number, "found"), orjson.dumps({"left": found.left, "beyond": max(0, beyond)}))


def merge(task: tuple[Job, int]) -> None:
    """Writes all pairs, each once, sorted: what a Select that decides reads."""
    job, strips = task
    none = pl.DataFrame(schema={"pair": pl.UInt64, "score": pl.UInt16})
    frames = [none, *(read_frame(job.part(number, "found")) for number in range(strips))]
    pairs = pl.concat(frames).unique("pair", keep="first", maintain_order=True).sort("pair")
    write_frame(job.artifact.folder / PAIRS, pairs)


def read_pairs(artifact: Artifact) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Returns the pairs a finished Select that finds left, sorted, with the similarity of each."""
    frame = read_frame(artifact.folder / PAIRS)
    return frame["pair"].to_numpy(), frame["score"].to_numpy() / SCALE


def found_totals(job: Job, strips: int) -> dict[str, Any]:
    """Returns what a finished Select that finds counted."""
    accounts = [read_json(job.account(number, "found")) for number in range(strips)]
    return {
        "floor": round(job.stage.least * SCALE),
        "rows": job.nodes,
        "identical": int(stars(job)[1].size),
        "cells": len(read_frame(job.part(0, "cells"))),
        "pairs": len(read_frame(job.artifact.folder / PAIRS, ["score"])),
        "left_out": sum(a["left"] for a in accounts),
        "not_compared": sum(a["beyond"] for a in accounts),
        "largest_crowd": int(_sizes(job).max()),
    }


def pass_part(task: tuple[Job, int]) -> None:
    """Writes what becomes of a part: nothing."""
    job, part = task
    rows = read_frame(job.part(part, "rows"))
    write_frame(job.artifact.part(part, "ledger"), empty())
    counts = count(rows.height, rows.height, empty())
    body = {"counts": asdict(counts), **tally_by_source(rows, rows, empty())}
    write_bytes(counts_path(job.artifact, part), orjson.dumps(body))
