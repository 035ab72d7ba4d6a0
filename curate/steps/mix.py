"""Mix: the recipe's mixture resolved over the training rows of the pool, as an index and a lock.

A row longer than a packed sequence could never be trained, so it takes no share: it is left out here, and told.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.arrow import series_of
from curate.errors import RecipeError
from curate.ledger import LEDGER_SCHEMA
from curate.mixture import MixIndex, MixSpec, lock, resolve
from curate.pool import Pool, PoolIndex
from curate.shards.ids import hex_from_ids
from curate.store import Artifact, read_frame, write_frame

TOO_LONG = "longer_than_sequence"
"""The reason of a row that fits into no sequence: it is left out and told, never cut."""


def run_mix(
    pool: Pool,
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
    index = mix_index(pool, training, seed, longest)
    mixture = resolve(spec, index)
    if not len(mixture):
        raise RecipeError("mix: what is asked for is less than half a row of every group, so nothing would be trained")
    write_frame(artifact.folder / "stream.arrow", pl.DataFrame({"row": mixture.rows, "pass": mixture.passes}))
    too_long = training[pool.n_tokens[training] > longest]
    write_frame(artifact.part(0, "ledger"), _ledger(pool.index, too_long))
    made = lock(mixture, spec, pool_key, longest)
    artifact.finish(identity, {"parts": 1, "lock": made, "left_out": int(too_long.size)})
    yield 1


def mix_index(pool: Pool, training: NDArray[np.int64], seed: int, longest: int) -> MixIndex:
    """Returns what mixtures are resolved over: the ``training`` rows of a pool that fit into a sequence.

    Raises:
        RecipeError: when all of them are longer.
    """
    eligible = training[pool.n_tokens[training] <= longest]
    if training.size and not eligible.size:
        raise RecipeError(f"mix: all {training.size:,} rows are longer than pack.length ({longest}); raise it")
    return MixIndex(pool.index, seed, eligible, pool.column)


def stream_rows(artifact: Artifact) -> NDArray[np.int64]:
    """Returns the pool rows of a finished mixture, in stream order."""
    rows: NDArray[np.int64] = read_frame(artifact.folder / "stream.arrow")["row"].to_numpy()
    return rows


def _ledger(index: PoolIndex, rows: NDArray[np.int64]) -> pl.DataFrame:
    ids = series_of(hex_from_ids(index.ids[rows]))
    frame = pl.DataFrame({"id": ids, "score": index.n_tokens[rows].astype(np.float64)}).with_columns(
        row=pl.int_range(pl.len(), dtype=pl.UInt32),
        action=pl.lit("drop"),
        reason=pl.lit(TOO_LONG),
        other_id=pl.lit(None, dtype=pl.String),
    )
    return frame.select(LEDGER_SCHEMA.keys())
