"""Mix: the recipe's mixture resolved over the training rows of the pool, as an index and a lock."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.mixture import MixSpec, lock, resolve
from curate.pool import PoolIndex
from curate.store import Artifact, read_frame, write_frame


def run_mix(
    index: PoolIndex,
    training: NDArray[np.int64],
    artifact: Artifact,
    identity: bytes,
    spec: MixSpec,
    seed: int,
    pool_key: str,
) -> Iterator[int]:
    """Resolves the mixture over the ``training`` rows of the pool and writes its stream and lock."""
    mixture = resolve(spec, index.take(training), seed)
    stream = pl.DataFrame({"row": training[mixture.rows], "pass": mixture.passes})
    write_frame(artifact.folder / "stream.arrow", stream)
    artifact.finish(identity, {"lock": lock(mixture, spec, pool_key)})
    yield 1


def stream_rows(artifact: Artifact) -> NDArray[np.int64]:
    """Returns the pool rows of a finished mixture, in stream order."""
    rows: NDArray[np.int64] = read_frame(artifact.folder / "stream.arrow")["row"].to_numpy()
    return rows
