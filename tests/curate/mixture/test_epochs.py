"""Repeats are worth less and less, and passes of mixture and training multiply."""

from __future__ import annotations

import pytest

from curate.mixture.epochs import effective, worth


@pytest.mark.parametrize(
    ("epochs", "worth_of"), [(0.5, 0.5), (1, 1), (2, 1.968), (4, 3.726), (8, 6.624), (16, 10.58), (40, 15.17)]
)
def test_repeats_are_worth_what_was_measured(epochs: float, worth_of: float) -> None:
    """The values of the fitted law of Muennighoff et al. 2023."""
    assert worth(epochs) == pytest.approx(worth_of, abs=6e-3)


def test_passes_of_mixture_and_training_are_one_count() -> None:
    """Nothing is said of a single pass; many passes are pointed out with the group that has most."""
    assert effective({"calls": 1, "math": 0.4}, 1) is None
    assert effective({"calls": 1, "math": 0.25}, 2) == (
        "passes over each group's rows, mixture × training: calls 1 × 2 = 2, math 0.25 × 2 = 0.5"
    )
    assert str(effective({"calls": 1, "math": 3.9}, 2)).endswith(
        "math 3.9 × 2 = 7.8; beyond 4 passes (math) repeats teach little"
    )
