"""Digests of many texts are those of `hashlib`, compiled or one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import digests
from curate.blake2_loop import BLOCK, LANES, put_digests
from curate.digests import DIGITS, hex_column, hex_digests, hex_digits

LENGTHS = st.one_of(
    st.integers(0, 600), st.builds(lambda n, by: max(n * BLOCK + by, 0), st.integers(0, 8), st.integers(-9, 9))
)


def texts_of(lengths: list[int], seed: int) -> tuple[list[bytes], np.ndarray, np.ndarray]:
    """Returns texts of random bytes, the bytes of all of them, and their bounds."""
    bounds = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    data = np.random.default_rng(seed).integers(0, 256, int(bounds[-1]), np.uint8)
    texts = [data[at:end].tobytes() for at, end in pairwise(bounds)]
    return texts, data, bounds


def expected(texts: list[bytes]) -> list[str]:
    """Returns what `hashlib` says."""
    return [hashlib.blake2b(text, digest_size=16).hexdigest() for text in texts]


@pytest.fixture(params=[0, 1 << 62], ids=["compiled", "one by one"])
def _least(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(digests, "LEAST_COMPILED", request.param)
    return


@settings(deadline=None)
@given(st.lists(LENGTHS, max_size=3 * LANES), st.integers(0, 9))
def test_the_loop_does_as_hashlib(lengths: list[int], seed: int) -> None:
    """Whatever lengths lie side by side, empty texts and whole blocks among them."""
    texts, data, bounds = texts_of(lengths, seed)
    out = np.zeros((len(texts), DIGITS), np.uint8)
    put_digests(data, bounds, np.argsort(-np.diff(bounds), kind="stable"), out)
    assert out.tobytes().decode() == "".join(expected(texts))


def test_the_loop_does_all_lengths() -> None:
    """Each up to some blocks once."""
    texts, data, bounds = texts_of(list(range(5 * BLOCK)), 1)
    out = np.zeros((len(texts), DIGITS), np.uint8)
    put_digests(data, bounds, np.arange(len(texts))[::-1].copy(), out)
    assert out.tobytes().decode() == "".join(expected(texts))


@pytest.mark.usefixtures("_least")
@pytest.mark.parametrize(
    "lengths", [[], [0], [0, 0, 5], [100_000, *[40] * 200, 0, 70_000], list(range(300))], ids=lambda x: str(len(x))
)
def test_digests_become_a_column_and_digits_again(lengths: list[int]) -> None:
    """Long texts among short ones are no exception."""
    texts, data, bounds = texts_of(lengths, 2)
    digits = hex_digests(data, bounds)
    column = hex_column(digits)
    assert column.to_list() == expected(texts)
    assert np.array_equal(hex_digits(column), digits)
    assert np.array_equal(hex_digits(column[1:]), digits[1:])
    assert np.array_equal(hex_digits(column.append(column)), np.concatenate([digits, digits]))
