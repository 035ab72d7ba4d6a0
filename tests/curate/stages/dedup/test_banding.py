"""Bands solved from a threshold and a recall."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.stages.dedup.banding import MOST_BANDS, Bands, found, most_apart, solve


@given(st.floats(0.3, 1.0), st.floats(0.55, 0.999))
def test_the_recall_is_reached(threshold: float, recall: float) -> None:
    """Pairs a little above the threshold share a band with the probability asked for, with no band to spare."""
    bands = solve(threshold, recall)
    assert 1 <= bands.bands <= MOST_BANDS
    assert found(min(1.0, threshold + 0.05), bands) >= recall - 1e-9
    if bands.bands > 1:
        assert found(min(1.0, threshold + 0.05), Bands(bands.bands - 1, bands.rows)) < recall


def test_the_default_is_known() -> None:
    """The bands of the documentation."""
    assert solve(0.7, 0.99) == (33, 7)
    assert found(0.75, Bands(33, 7)) == pytest.approx(0.9911, abs=1e-4)
    assert most_apart(0.7, 256) == 62
