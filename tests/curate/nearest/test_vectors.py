"""Quantized vectors: directions stay, dot products fit exact 32-bit floats, what points nowhere is null."""

from __future__ import annotations

import numpy as np
import pytest

from curate.nearest import matrix, packed, quantized


@pytest.mark.parametrize("size", [2, 256, 1024, 4096])
def test_cosines_hardly_change_and_products_stay_exact(size: int) -> None:
    """Cosines of rounded vectors are within 0.003 of the true ones, and a length is never above 4095."""
    given = np.random.default_rng(size).normal(size=(50, size)).astype(np.float32)
    small = quantized(given).astype(np.float64)
    lengths = np.sqrt((small * small).sum(axis=1))
    assert lengths.max() <= 4095
    true = given / np.linalg.norm(given, axis=1, keepdims=True)
    ours = small / lengths[:, None]
    assert np.abs(ours @ ours.T - true @ true.T).max() < 0.01
    exact = small @ small.T
    assert np.array_equal((small.astype(np.float32) @ small.astype(np.float32).T).astype(np.float64), exact)


def test_zeros_and_what_is_no_number_point_nowhere() -> None:
    """A vector of zeros, or with a number that is not finite, is null in the column; the others come back."""
    found = packed(quantized(np.array([[0.0, 0.0], [1.0, -0.5], [np.nan, 1.0], [np.inf, 1.0]])))
    assert found.is_null().to_list() == [True, False, True, True]
    assert matrix(found.drop_nulls()).tolist() == [[127, -64]]


def test_no_vectors() -> None:
    """Nothing gives nothing."""
    assert packed(quantized(np.empty((0, 8)))).len() == 0
    assert matrix(packed(quantized(np.empty((0, 8))))).shape == (0, 0)
