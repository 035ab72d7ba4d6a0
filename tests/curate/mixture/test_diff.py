"""A comparison tells rows added from rows swapped, and repeats from new rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.mixture import resolve
from curate.mixture.diff import Change, Stream, compare, summary
from curate.pool import PoolIndex
from tests.curate.index_maker import sized, spec_of


def _stream(index: PoolIndex, seed: int = 0, **fields: Any) -> Stream:
    mixture = resolve(spec_of(unit="rows", **fields), index, seed)
    rows = mixture.rows
    return Stream(
        index.ids[rows], mixture.passes, index.ability[rows], index.ability_names, index.n_trained[rows], mixture.sha256
    )


def _told(before: Stream, after: Stream) -> tuple[list[Change], str]:
    changes = compare(before, after)
    return changes, summary(changes, before, after)


def test_a_larger_amount_adds_rows() -> None:
    """The smaller mixture is part of the larger."""
    index = sized(20, 30)
    changes, told = _told(_stream(index, budget=20), _stream(index, budget=30))
    assert [(c.before, c.after, c.added, c.removed, c.swapped) for c in changes] == [
        (8, 12, 4, 0, 0),
        (12, 18, 6, 0, 0),
    ]
    assert told == "10 places added, 0 removed, none swapped: in each ability the smaller is part of the larger"


def test_repeats_are_places_and_no_new_rows() -> None:
    """Fewer rows passed over twice are places added and removed, but none came in for another."""
    index = sized(20)
    (change,), _ = _told(
        _stream(index, rows={"code": 20}), _stream(index, epochs={"code": 2}, per_group_max={"rows": 8})
    )
    assert (change.added, change.removed, change.new_rows, change.lost_rows, change.swapped) == (8, 12, 0, 12, 0)


def test_another_seed_swaps() -> None:
    """As many rows under another seed are other rows."""
    index = sized(200)
    (change,), told = _told(_stream(index, budget=50), _stream(index, seed=1, budget=50))
    assert change.added == change.removed == change.swapped > 0
    assert told.endswith(f"swapped: code {change.swapped}")


def test_the_same_rows_in_another_order() -> None:
    """Order alone is told as such, and no change as none."""
    index = sized(20, 20)
    mixed, shuffled = _stream(index), _stream(index, order="shuffle")
    assert _told(mixed, shuffled)[1] == "the same rows in another order"
    assert _told(mixed, mixed)[1] == "one and the same stream"


def test_an_ability_that_is_new() -> None:
    """Abilities of one side only are listed."""
    index = sized(5, 5)
    some = resolve(spec_of(unit="rows", rows={"code": 5, "math": 0}), index, 0)
    assert np.unique(index.ability[some.rows]).tolist() == [0]
    changes, _ = _told(_stream(index, rows={"code": 5, "math": 0}), _stream(index))
    assert [(c.ability, c.before, c.after, c.trained_added) for c in changes] == [("code", 5, 5, 0), ("math", 0, 5, 5)]
