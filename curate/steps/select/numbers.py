"""Sorted numbers: the distinct ones of an array, and those not among others. By sorting, which numpy does fastest."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Numbers = TypeVar("Numbers", bound=NDArray[Any])


def distinct(values: Numbers) -> Numbers:
    """Returns the distinct values, sorted."""
    ordered = np.sort(values)
    first = np.empty(ordered.size, np.bool_)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]  # type: ignore[return-value]


def without(values: Numbers, others: NDArray[Any]) -> Numbers:
    """Returns the values (sorted) that are not among the others (sorted)."""
    if not others.size:
        return values
    place = np.minimum(np.searchsorted(others, values), others.size - 1)
    return values[others[place] != values]
