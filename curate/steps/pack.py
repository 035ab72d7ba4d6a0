"""Pack: the mixture's stream cut into sequences, as an index; documents longer than a sequence are named in a ledger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.ledger import LEDGER_SCHEMA
from curate.packing import PackSpec
from curate.packing.plan import plan
from curate.pool import PoolIndex
from curate.shards.ids import hex_from_ids
from curate.store import Artifact, read_frame, write_frame

TOO_LONG = "longer_than_sequence"
"""The reason of a document that fits into no sequence: it is left out and told, never cut."""


def run_pack(
    index: PoolIndex, stream: NDArray[np.int64], artifact: Artifact, identity: bytes, spec: PackSpec
) -> Iterator[int]:
    """Packs the stream (pool rows in order) into sequences and writes the plan."""
    made = plan(index.n_tokens[stream], spec.length, spec.window)
    write_frame(artifact.folder / "order.arrow", pl.DataFrame({"row": stream[made.order]}))
    write_frame(artifact.folder / "bounds.arrow", pl.DataFrame({"bound": made.bounds}))
    left_out = np.unique(stream[made.ineligible])
    write_frame(artifact.part(0, "ledger"), _ledger(index, left_out))
    meta = {
        "parts": 1,
        "sequences": len(made),
        "documents": int(made.order.size),
        "fill": round(made.fill, 6),
        "ineligible": int(made.ineligible.size),
        "left_out": int(left_out.size),
    }
    artifact.finish(identity, meta)
    yield 1


def packed_rows(artifact: Artifact) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns (pool rows sequence after sequence, offsets of the sequences) of a finished pack plan."""
    rows = read_frame(artifact.folder / "order.arrow")["row"].to_numpy()
    return rows, read_frame(artifact.folder / "bounds.arrow")["bound"].to_numpy()


def _ledger(index: PoolIndex, rows: NDArray[np.int64]) -> pl.DataFrame:
    ids = pl.Series("id", hex_from_ids(index.ids[rows]), dtype=pl.String)
    frame = pl.DataFrame({"id": ids, "score": index.n_tokens[rows].astype(np.float64)}).with_columns(
        row=pl.int_range(pl.len(), dtype=pl.UInt32),
        action=pl.lit("drop"),
        reason=pl.lit(TOO_LONG),
        other_id=pl.lit(None, dtype=pl.String),
    )
    return frame.select(LEDGER_SCHEMA.keys())
