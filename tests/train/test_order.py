from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.order import FILLER, Plan, batch_sequences, cut_segments

SEGMENTS = st.lists(st.integers(1, 40), min_size=1, max_size=6).map(tuple)


def read(plan: Plan, steps: int) -> np.ndarray:
    """Returns the sequences of the first steps, in order."""
    return np.concatenate([plan.rows_of_step(step) for step in range(steps)])


@given(SEGMENTS, st.integers(1, 16), st.integers(1, 3), st.integers(0, 9))
def test_every_pass_reads_every_sequence_once(segments: tuple[int, ...], batch: int, passes: int, seed: int) -> None:
    """Whole passes cover the sequences exactly, with filler only after the last of them."""
    rows = sum(segments)
    plan = Plan(segments, batch, seed, "data", wanted=passes * rows)
    places = read(plan, plan.steps)
    assert len(places) - passes * rows < batch
    assert (places[passes * rows :] == FILLER).all()
    for number in range(passes):
        assert sorted(places[number * rows : (number + 1) * rows]) == list(range(rows))


def test_the_first_pass_keeps_the_written_order_and_later_ones_do_not() -> None:
    """Pass one is on-mix as written; pass two permutes segments and rows inside them, each segment in one piece."""
    plan = Plan((30, 20, 50), 10, 1, "data", wanted=300)
    places = read(plan, 30)
    assert places[:100].tolist() == list(range(100))
    second, third = places[100:200], places[200:]
    assert second.tolist() != third.tolist()
    assert second.tolist() != list(range(100))
    segment_of = np.repeat([0, 1, 2], [30, 20, 50])[second]
    assert (np.diff(segment_of) != 0).sum() == 2


def test_seek_is_arithmetic_over_a_billion_rows() -> None:
    """A batch deep in a later pass of 20,000 segments comes out the same from a fresh plan."""
    plan = Plan((65536,) * 20_000, 64, 3, "data")
    step = 30_000_000
    rows = plan.rows_of_step(step)
    assert len(np.unique(rows)) == 64
    assert (Plan((65536,) * 20_000, 64, 3, "data").rows_of_step(step) == rows).all()


@given(SEGMENTS, st.integers(1, 8), st.lists(st.integers(0, 12), min_size=2, max_size=6, unique=True))
def test_skipped_batches_are_never_read_and_nothing_else_moves(
    segments: tuple[int, ...], batch: int, edges: list[int]
) -> None:
    """A skip list removes its spans of batches from the stream and keeps the order of the rest."""
    edges = sorted(edges)[: len(edges) // 2 * 2]
    spans = tuple(zip(edges[::2], edges[1::2], strict=True))
    plan = Plan(segments, batch, 0, "data", skip=spans)
    skipped = {number for first, last in spans for number in range(first, last)}
    expected = [number for number in range(40) if number not in skipped][:20]
    assert [plan.batch_of_step(step) for step in range(20)] == expected


def test_steps_leave_out_skipped_batches() -> None:
    """The number of steps counts only batches that are read."""
    assert Plan((10,), 4, 0, "d", wanted=10).steps == 3
    assert Plan((10,), 4, 0, "d", wanted=10, skip=((1, 2), (2, 9))).steps == 1
    with pytest.raises(ValueError, match="without an end"):
        _ = Plan((10,), 4, 0, "d").steps


def test_the_hash_names_the_order_but_not_the_skip_list_or_the_length() -> None:
    """Data, segments, batch and seed change the hash; skips and epochs do not."""
    plan = Plan((10, 5), 4, 0, "data")
    assert plan.hash == Plan((10, 5), 4, 0, "data", wanted=30, skip=((0, 1),)).hash
    others = [Plan((5, 10), 4, 0, "data"), Plan((10, 5), 2, 0, "data"), Plan((10, 5), 4, 1, "data")]
    assert len({plan.hash, Plan((10, 5), 4, 0, "other").hash, *(other.hash for other in others)}) == 5


def test_the_order_of_later_passes_is_pinned() -> None:
    """The permutation is part of what a checkpoint relies on: it must not move with a library version."""
    assert Plan((6, 4), 10, 17, "data").rows_of_batch(1).tolist() == [5, 1, 2, 3, 0, 4, 6, 8, 9, 7]


def test_long_shards_are_cut_in_segments_and_batches_in_divisible_numbers() -> None:
    """Segments stay small; a token budget becomes 1, 2, 4, 8 or a multiple of 8 micro-batches."""
    assert cut_segments((5, 12), most=5) == (5, 5, 5, 2)
    tokens, rows = 1000, 10
    sizes = [batch_sequences(budget, tokens, rows, 1) for budget in (1, 160, 350, 500, 900, 2000, 100_000)]
    assert sizes == [1, 2, 4, 4, 8, 16, 1000]
    assert batch_sequences(2400, tokens, rows, 3) == 24
