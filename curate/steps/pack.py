"""Pack: the mixture's stream cut into sequences, as an index."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.packing import PackSpec
from curate.packing.plan import plan
from curate.pool import PoolIndex
from curate.store import Artifact, read_frame, write_frame


def run_pack(
    index: PoolIndex, stream: NDArray[np.int64], artifact: Artifact, identity: bytes, spec: PackSpec
) -> Iterator[int]:
    """Packs the stream (pool rows in order, none longer than a sequence) and writes the plan."""
    made = plan(index.n_tokens[stream], spec.length, spec.window)
    assert made.order.size == stream.size, "the mixture let a row through that is longer than a sequence"
    write_frame(artifact.folder / "order.arrow", pl.DataFrame({"row": stream[made.order]}))
    write_frame(artifact.folder / "bounds.arrow", pl.DataFrame({"bound": made.bounds}))
    meta = {"sequences": len(made), "documents": int(made.order.size), "fill": round(made.fill, 6)}
    artifact.finish(identity, meta)
    yield 1


def packed_rows(artifact: Artifact) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns (pool rows sequence after sequence, offsets of the sequences) of a finished pack plan."""
    rows = read_frame(artifact.folder / "order.arrow")["row"].to_numpy()
    return rows, read_frame(artifact.folder / "bounds.arrow")["bound"].to_numpy()
