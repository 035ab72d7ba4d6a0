"""Cells: many vectors gathered by direction with faiss's k-means, each put into the few cells nearest to it.

Rows that are similar share a cell nearly always (see `docs/stages/semantic_dedup.md`); inside a cell all pairs
are compared. faiss runs on one thread with a fixed seed, over rows in a fixed order, so the cells are the same at any
number of workers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.errors import StageError
from curate.nearest.vectors import Vectors

ALL_PAIRS = 65_536
"""Up to so many rows all pairs are compared, in one cell."""

ROWS_PER_CELL = 4096
NEAREST = 4
"""Cells a row is put in."""

TRAINED_ON = 48
"""Rows for each cell that the cells are learned from."""

_SEED, _ROUNDS = 17, 12


def cells_for(rows: int) -> int:
    """Returns the number of cells for so many rows."""
    return 1 if rows <= ALL_PAIRS else -(-rows // ROWS_PER_CELL)


def _unit(vectors: Vectors) -> NDArray[np.float32]:
    wide = vectors.astype(np.float32)
    length = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    unit: NDArray[np.float32] = wide / np.maximum(length, 1)
    return unit


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise StageError(
            f"semantic_dedup over more than {ALL_PAIRS:,} rows needs faiss: pip install 'curate-train[semantic]'"
        ) from error
    faiss.omp_set_num_threads(1)
    return faiss


def trained_cells(sample: Vectors, cells: int) -> NDArray[np.float32]:
    """Returns the middles of the cells (float32[cells, size]), learned from a sample of the vectors.

    Raises:
        StageError: when faiss is not installed.
    """
    faiss = _faiss()
    points = _unit(sample)
    kmeans = faiss.Kmeans(points.shape[1], cells, niter=_ROUNDS, seed=_SEED, spherical=True, min_points_per_centroid=1)
    kmeans.train(points)
    middles: NDArray[np.float32] = np.array(kmeans.centroids, np.float32).reshape(cells, -1)
    return middles


def nearest_cells(vectors: Vectors, middles: NDArray[np.float32]) -> NDArray[np.int64]:
    """Returns the cells of each vector (int64[rows, `NEAREST`]), different ones."""
    if len(middles) == 1 or not len(vectors):
        return np.zeros((len(vectors), 1), np.int64)
    index = _faiss().IndexFlatIP(middles.shape[1])
    index.add(middles)
    _, found = index.search(_unit(vectors), min(NEAREST, len(middles)))
    cells: NDArray[np.int64] = found
    return cells
