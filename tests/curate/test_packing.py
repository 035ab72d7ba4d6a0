"""A pack plan places every document once, overfills nothing and keeps the stream's order up to a window."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.errors import StoreError
from curate.mixture.order import order_by_units
from curate.packing import PackSpec
from curate.packing.plan import PackPlan, plan

streams = st.lists(st.integers(1, 80), max_size=200)


def _lognormal(count: int, seed: int = 0) -> np.ndarray:
    sizes = np.random.default_rng(seed).lognormal(5.3, 0.95, count)
    return np.clip(sizes, 4, 4096).astype(np.int32)


def _windows(lengths: np.ndarray, capacity: int, window: int) -> np.ndarray:
    """Returns the window each document stands in: one closes at the first document that brings it to size."""
    number, tokens, out = 0, 0, []
    for length in lengths:
        out.append(number)
        tokens += int(length) if length <= capacity else 0
        if tokens >= window * capacity:
            number, tokens = number + 1, 0
    return np.array(out, dtype=np.int64)


@given(lengths=streams, capacity=st.integers(1, 90), window=st.integers(1, 6))
@settings(deadline=None, max_examples=300)
def test_each_document_is_placed_once_and_no_sequence_overflows(lengths: list[int], capacity: int, window: int) -> None:
    """Every document that fits is in exactly one sequence, every other is ineligible, no sequence is too long."""
    sizes = np.array(lengths, dtype=np.int32)
    packed = plan(sizes, capacity, window)
    everywhere = np.concatenate([packed.order, packed.ineligible])
    assert sorted(everywhere.tolist()) == list(range(len(lengths)))
    assert (sizes[packed.ineligible] > capacity).all()
    assert packed.bounds[0] == 0
    assert packed.bounds[-1] == packed.order.size
    totals = [sizes[packed.order[a:b]].sum() for a, b in zip(packed.bounds, packed.bounds[1:], strict=False)]
    assert all(0 < total <= capacity for total in totals)
    assert packed.tokens == sum(totals)


@given(lengths=streams, capacity=st.integers(40, 90), window=st.integers(1, 4))
@settings(deadline=None, max_examples=300)
def test_a_document_stays_in_its_window_or_the_next(lengths: list[int], capacity: int, window: int) -> None:
    """Sequences come window by window; each holds documents of one window, or of one and the one before."""
    sizes = np.array(lengths, dtype=np.int32)
    packed = plan(sizes, capacity, window)
    window_of = _windows(sizes, capacity, window)
    newest = [window_of[packed.order[a:b]].max() for a, b in zip(packed.bounds, packed.bounds[1:], strict=False)]
    oldest = [window_of[packed.order[a:b]].min() for a, b in zip(packed.bounds, packed.bounds[1:], strict=False)]
    emitted = np.maximum.accumulate(np.array(newest, dtype=np.int64)) if newest else np.array([], dtype=np.int64)
    assert all(0 <= at - old <= 1 for at, old in zip(emitted, oldest, strict=True))
    inside = np.diff(packed.order) > 0
    inside[packed.bounds[1:-1] - 1] = True
    assert inside.all()


def _slow_best_fit(lengths: list[int], capacity: int) -> int:
    """Returns how many sequences best-fit decreasing needs, by trying every open one."""
    free: list[int] = []
    for length in sorted(lengths, reverse=True):
        room = [(space, at) for at, space in enumerate(free) if space >= length]
        if room:
            free[min(room)[1]] -= length
        else:
            free.append(capacity - length)
    return len(free)


@given(lengths=streams, capacity=st.integers(80, 90))
@settings(deadline=None, max_examples=100)
def test_one_window_needs_as_many_sequences_as_a_plain_best_fit(lengths: list[int], capacity: int) -> None:
    """Within one window the number of sequences is that of best-fit decreasing done the slow way."""
    assert len(plan(np.array(lengths), capacity, window=1000)) == _slow_best_fit(lengths, capacity)


@pytest.mark.parametrize("capacity", [63, 64, 65, 4095, 4096, 4097, 262_143, 262_144, 300_001])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_free_space_is_found_at_every_capacity(capacity: int, seed: int) -> None:
    """The search of free space is exact where a word, or a word of words, of its bitmap ends."""
    lengths = np.random.default_rng(seed).integers(1, capacity + 1, 300) // np.array([1, 3, 10]).repeat(100) + 1
    sizes = np.minimum(lengths, capacity)
    assert len(plan(sizes, capacity)) == _slow_best_fit(sizes.tolist(), capacity)


@pytest.mark.parametrize("window", [256, 512, 16384])
def test_lognormal_lengths_fill_sequences(window: int) -> None:
    """At least 0.999 of the places of 4096-token sequences hold tokens, whatever the window."""
    assert plan(_lognormal(200_000), 4096, window).fill >= 0.999


def test_plan_is_deterministic() -> None:
    """Two plans of one stream are equal, and every array is."""
    lengths = _lognormal(5_000)
    first, second = plan(lengths, 2048, 16), plan(lengths, 2048, 16)
    for field in ("order", "bounds", "ineligible"):
        assert np.array_equal(getattr(first, field), getattr(second, field))


def test_sequences_are_not_sorted_by_document_length() -> None:
    """The first and second half of a window hold equally long documents within a few percent."""
    lengths = _lognormal(300_000)
    packed = plan(lengths, 4096, 1 << 20)
    documents = np.diff(packed.bounds)
    half = documents.size // 2
    assert documents[:half].mean() == pytest.approx(documents[half:].mean(), rel=0.05)


def test_the_mix_stays_on_share_through_packing() -> None:
    """With abilities of very different lengths, each tenth of the sequences has the shares of the stream."""
    rng = np.random.default_rng(0)
    counts, means = [20_000, 10_000, 4_000, 2_000], [4.0, 5.0, 6.0, 7.0]
    units = [np.clip(rng.lognormal(m, 0.6, n), 4, 2048).astype(np.int64) for n, m in zip(counts, means, strict=True)]
    ability = order_by_units(units)
    lengths = np.empty(ability.size, dtype=np.int64)
    for number, own in enumerate(units):
        lengths[ability == number] = own
    packed = plan(lengths, 2048)
    tokens = np.zeros((len(packed), 4))
    np.add.at(
        tokens,
        (np.repeat(np.arange(len(packed)), np.diff(packed.bounds)), ability[packed.order]),
        lengths[packed.order],
    )
    shares = tokens.sum(0) / tokens.sum()
    for tenth in np.array_split(tokens, 10):
        assert tenth.sum(0) / tenth.sum() == pytest.approx(shares, abs=0.03)


def test_empty_stream_packs_to_nothing() -> None:
    """No document makes no sequence."""
    packed = plan(np.array([], dtype=np.int32), 16)
    assert (len(packed), packed.order.size, packed.fill) == (0, 0, 1.0)


def test_only_long_documents_are_all_ineligible() -> None:
    """Documents longer than a sequence are listed, in order, and make no sequence."""
    packed = plan(np.array([17, 20, 99]), 16)
    assert (len(packed), packed.ineligible.tolist()) == (0, [0, 1, 2])


def test_empty_document_is_refused() -> None:
    """A document of no tokens is an error that names it."""
    with pytest.raises(StoreError, match="document 1 of the stream has 0 tokens; drop empty rows"):
        plan(np.array([3, 0]), 16)


def test_spec_refuses_unknown_parameters_and_zero_length() -> None:
    """A typing slip or a zero length doesn't pass."""
    with pytest.raises(ValidationError, match="lenght"):
        PackSpec.model_validate({"length": 16, "lenght": 3})
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        PackSpec(length=0)


def test_spec_loads_without_numba() -> None:
    """Reading a recipe's pack settings doesn't start the compiler."""
    code = "import sys, curate.packing; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_plan_type_is_frozen() -> None:
    """A plan can't be changed after it is made."""
    packed = plan(np.array([3]), 16)
    assert isinstance(packed, PackPlan)
    with pytest.raises(AttributeError):
        packed.capacity = 3  # type: ignore[misc]
