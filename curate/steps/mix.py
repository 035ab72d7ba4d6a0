"""Mix: the recipe's mixture resolved over the training rows of the pool, as an index and a lock.

A row longer than a packed sequence could never be trained, so it takes no share: it is left out here, and told.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.ledger import LEDGER_SCHEMA
from curate.mixture import MixSpec, lock, resolve
from curate.pool import PoolIndex
from curate.shards.ids import hex_from_ids
from curate.store import Artifact, read_frame, write_frame

TOO_LONG = "longer_than_sequence"
"""The reason of a row that fits into no sequence: it is left out and told, never cut."""


def run_mix(
    index: PoolIndex,
    training: NDArray[np.int64],
    artifact: Artifact,
    identity: bytes,
    spec: MixSpec,
    seed: int,
    pool_key: str,
    longest: int,
) -> Iterator[int]:
    """Resolves the mixture over the ``training`` rows of at most ``longest`` tokens; writes stream, lock and ledger.

    Raises:
        RecipeError: when no row is left, or the rows can't give what the mixture asks for.
    """
    fits = index.n_tokens[training] <= longest
    eligible = training[fits]
    if training.size and not eligible.size:
        raise RecipeError(f"mix: all {training.size:,} rows are longer than pack.length ({longest}); raise it")
    mixture = resolve(spec, index.take(eligible), seed)
    stream = pl.DataFrame({"row": eligible[mixture.rows], "pass": mixture.passes})
    write_frame(artifact.folder / "stream.arrow", stream)
    write_frame(artifact.part(0, "ledger"), _ledger(index, training[~fits]))
    left_out = int((~fits).sum())
    artifact.finish(identity, {"parts": 1, "lock": lock(mixture, spec, pool_key), "left_out": left_out})
    yield 1


def stream_rows(artifact: Artifact) -> NDArray[np.int64]:
    """Returns the pool rows of a finished mixture, in stream order."""
    rows: NDArray[np.int64] = read_frame(artifact.folder / "stream.arrow")["row"].to_numpy()
    return rows


def _ledger(index: PoolIndex, rows: NDArray[np.int64]) -> pl.DataFrame:
    ids = pl.Series("id", hex_from_ids(index.ids[rows]), dtype=pl.String)
    frame = pl.DataFrame({"id": ids, "score": index.n_tokens[rows].astype(np.float64)}).with_columns(
        row=pl.int_range(pl.len(), dtype=pl.UInt32),
        action=pl.lit("drop"),
        reason=pl.lit(TOO_LONG),
        other_id=pl.lit(None, dtype=pl.String),
    )
    return frame.select(LEDGER_SCHEMA.keys())
