"""Repeats are counted by all of a digest, and their ids are hashes of it and the count."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import digests
from curate.rows import row_hash
from curate.steps.repeats import ids_of_repeats, repeats_among

A, B, C = "0123456789abcdef", "fedcba9876543210", "0000000000000000"
ALIKE = [A + A, A + B, A + C, B + A, B + B, row_hash("x"), row_hash("y")]
"""Digests whose short keys are the same, and others."""


def digits_of(found: list[str]) -> np.ndarray:
    """Returns rows of digits."""
    return np.frombuffer("".join(found).encode(), np.uint8).reshape(len(found), 32)


@given(st.lists(st.sampled_from(ALIKE), max_size=40))
def test_repeats_are_numbered_as_they_stand(found: list[str]) -> None:
    """The first of each is none; digests that begin alike are told apart."""
    seen: Counter[str] = Counter()
    expected = []
    for place, digest in enumerate(found):
        if seen[digest]:
            expected.append((place, seen[digest]))
        seen[digest] += 1
    places, numbers = repeats_among(digits_of(found))
    assert list(zip(places.tolist(), numbers.tolist(), strict=True)) == expected


@pytest.mark.parametrize("least", [0, 1 << 62], ids=["compiled", "one by one"])
def test_ids_of_repeats_are_hashes(monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    """Numbers of every width."""
    monkeypatch.setattr(digests, "LEAST_COMPILED", least)
    numbers = [1, 9, 10, 11, 99, 100, 12345, 1_000_000, 999_999_999, 4_000_000_000, 2, *range(90, 300)]
    found = [row_hash(str(number % 7)) for number in numbers]
    ids = ids_of_repeats(digits_of(found), np.array(numbers))
    expected = [row_hash(digest, str(number)) for digest, number in zip(found, numbers, strict=True)]
    assert ids.tobytes().decode() == "".join(expected)
