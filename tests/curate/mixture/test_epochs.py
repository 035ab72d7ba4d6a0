"""Repeats are worth less and less."""

from __future__ import annotations

import pytest

from curate.mixture.epochs import worth


@pytest.mark.parametrize(
    ("epochs", "worth_of"), [(0.5, 0.5), (1, 1), (2, 1.968), (4, 3.726), (8, 6.624), (16, 10.58), (40, 15.17)]
)
def test_repeats_are_worth_what_was_measured(epochs: float, worth_of: float) -> None:
    """The values of the fitted law of Muennighoff et al. 2023."""
    assert worth(epochs) == pytest.approx(worth_of, abs=6e-3)
