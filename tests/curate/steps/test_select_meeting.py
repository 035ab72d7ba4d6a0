"""Entries that meet none may be left out: the others make the same pairs."""

from __future__ import annotations

import numpy as np
import pytest

from curate.steps.select.loops import meeting, pairs_of
from curate.steps.select.numbers import distinct


@pytest.mark.parametrize("keys", [1, 40, 3000, 1 << 32])
@pytest.mark.parametrize("size", [0, 1, 2, 5000])
def test_the_same_pairs(keys: int, size: int) -> None:
    """Whether all rows share a key or hardly two do; keys are spread over 32 bits."""
    made = np.random.default_rng(size + keys)
    key = (made.integers(0, keys, size, np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    entries = (key << np.uint64(32)) | made.integers(0, 1000, size, np.uint64)
    left = meeting(entries)
    no_bits = np.empty((1000, 0), np.uint64)
    pairs, crowds = pairs_of(distinct(left), no_bits, 0, 0, 16, 1000)
    expected, told = pairs_of(distinct(entries), no_bits, 0, 0, 16, 1000)
    assert pairs.tolist() == expected.tolist()
    assert crowds.tolist() == told.tolist()
    assert left.size <= size
    if keys > size:
        assert left.size < max(2, size // 2)
