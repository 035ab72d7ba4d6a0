"""Ranks: a choice that depends on an id and a seed, and on nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.ranks import keyed_ranks

IDS = st.lists(st.tuples(*[st.integers(0, 2**64 - 1)] * 2), min_size=1, max_size=30, unique=True)


@given(IDS, st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_a_rank_is_its_own(ids: list[tuple[int, int]], seed: int, chance: object) -> None:
    """Other ids beside it and their order change no id's rank."""
    array = np.array(ids, dtype=np.uint64)
    ranks = keyed_ranks(array, seed, "split")
    assert np.array_equal(keyed_ranks(array[::-1], seed, "split")[::-1], ranks)
    assert keyed_ranks(array[:1], seed, "split")[0] == ranks[0]


def test_seed_and_purpose_key_the_ranks() -> None:
    """Another seed or purpose gives another order; ranks are spread over the whole range."""
    ids = np.random.default_rng(0).integers(0, 2**64, (4000, 2), dtype=np.uint64)
    ranks = keyed_ranks(ids, 17, "split")
    assert np.unique(ranks).size == 4000
    assert not np.array_equal(ranks, keyed_ranks(ids, 18, "split"))
    assert not np.array_equal(ranks, keyed_ranks(ids, 17, "mix"))
    assert abs(np.mean(ranks.astype(np.float64) / 2**64) - 0.5) < 0.02


def test_ranks_are_pinned() -> None:
    """The hash is part of the promise that a seed gives the same data everywhere and always."""
    ids = np.array([[0, 0], [1, 2]], dtype=np.uint64)
    assert keyed_ranks(ids, 17, "split").tolist() == [1379157717527954292, 5850088461585845258]
