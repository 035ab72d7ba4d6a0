"""Sorted numbers against sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.steps.select.numbers import distinct, without

NUMBERS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=30)


@given(NUMBERS, NUMBERS)
def test_they_are_what_sets_say(values: list[int], others: list[int]) -> None:
    """Distinct values and differences, for any numbers, none included."""
    one, other = (distinct(np.array(numbers, np.uint64)) for numbers in (values, others))
    assert one.tolist() == sorted(set(values))
    assert without(one, other).tolist() == sorted(set(values) - set(others))
