"""Cells: the same ones each time, and similar vectors share one."""

from __future__ import annotations

import numpy as np
import pytest

from curate.nearest import cells, cells_for, nearest_cells, quantized, trained_cells


def test_few_rows_are_one_cell() -> None:
    """All pairs of up to 65,536 rows are compared; above, cells are of some thousand rows."""
    assert [cells_for(n) for n in (0, 1, 65_536, 65_537, 1_000_000)] == [1, 1, 1, 17, 245]
    assert nearest_cells(np.ones((3, 4), np.int8), np.zeros((1, 4), np.float32)).tolist() == [[0], [0], [0]]


def test_alike_vectors_share_a_cell_and_cells_come_out_the_same() -> None:
    """Vectors at a cosine of about 0.9 share a cell in 99 % of cases; a second training gives the same cells."""
    rng = np.random.default_rng(5)
    base = rng.normal(size=(6000, 48))
    near = base + rng.normal(size=base.shape) * 0.45
    sample, other = quantized(base), quantized(near)
    middles = trained_cells(sample, 24)
    assert np.array_equal(middles, trained_cells(sample, 24))
    a, b = nearest_cells(sample, middles), nearest_cells(other, middles)
    assert a.shape == (6000, cells.NEAREST)
    shared = (a[:, :, None] == b[:, None, :]).any(axis=(1, 2))
    assert shared.mean() > 0.99
    halves = np.concatenate([nearest_cells(sample[:1], middles), nearest_cells(sample[1:], middles)])
    assert np.array_equal(halves, a)


def test_without_faiss_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where faiss is missing, large data is refused with what to install."""
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(cells.StageError, match=r"more than 65,536 rows needs faiss: pip install"):
        trained_cells(np.ones((4, 4), np.int8), 2)
