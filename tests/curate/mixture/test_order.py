"""The order of a stream: on-mix throughout, shuffled, or staged; and what packing leaves of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.mixture import resolve
from curate.mixture.order import order_by_rows
from curate.packing.plan import plan
from curate.pool import PoolIndex
from tests.curate.index_maker import index_of, sized, spec_of


def _worst(groups: NDArray[Any], units: NDArray[np.int64]) -> float:
    """Returns by how many units a group of a stream is ever away from its share of all."""
    worst = 0.0
    for group in np.unique(groups):
        mine = np.where(groups == group, units, 0)
        worst = max(worst, float(np.abs(np.cumsum(mine) - mine.sum() / units.sum() * np.cumsum(units)).max()))
    return worst


@pytest.mark.parametrize(("groups", "bound"), [(2, 0.5), (3, 0.75), (5, 0.875), (10, 0.9445)])
def test_the_chairman_keeps_its_proven_bound(groups: int, bound: float) -> None:
    """Over random shares the worst prefix error reaches, and never passes, 1 - 1/(2K - 2) rows (Tijdeman 1980)."""
    rng = np.random.default_rng(groups)
    errors = [
        _worst(order_by_rows(counts), np.ones(sum(counts), int))
        for counts in rng.integers(1, 400, (40, groups)).tolist()
    ]
    assert max(errors) <= bound
    assert max(errors) > bound - 0.2


def test_thousands_of_groups_are_mixed() -> None:
    """The order of 2,000 groups is on-mix to a row."""
    counts = (np.arange(2000) % 7 + 1).tolist()
    assert _worst(order_by_rows(counts)[::1], np.ones(sum(counts), int)) < 1


@given(index=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=60), seed=st.integers(0, 3))
def test_a_shuffle_is_a_permutation_of_the_mixed_stream(index: list[tuple[int, int]], seed: int) -> None:
    """The same places come, in an order that depends on ids and not on the order of files."""
    rows = index_of([a for a, _ in index], [t for _, t in index])
    mixed, shuffled = (resolve(spec_of(epochs={"*": 2}, order=order), rows, seed) for order in ("mixed", "shuffle"))
    places = [sorted(zip(m.rows.tolist(), m.passes.tolist(), strict=True)) for m in (mixed, shuffled)]
    assert places[0] == places[1]
    turned = rows.take(np.arange(len(rows))[::-1])
    assert resolve(spec_of(epochs={"*": 2}, order="shuffle"), turned, seed).sha256 == shuffled.sha256


def test_general_first_and_domain_last() -> None:
    """Each stage is finished before the next begins, and is on-mix in itself."""
    index = sized(20, 40, 30, domain=(False, False, True))
    stages = [{"domain": False}, {"domain": True}]
    mixture = resolve(spec_of(unit="rows", order="curriculum", curriculum=stages), index, 0)
    ability = index.ability[mixture.rows]
    assert set(ability[:60].tolist()) == {0, 1}
    assert set(ability[60:].tolist()) == {2}
    assert _worst(ability[:60], np.ones(60, int)) <= 0.5


def test_short_rows_before_long_ones() -> None:
    """Stages may be of growing length."""
    index = index_of([0, 1] * 50, [1 + k % 10 for k in range(100)])
    stages = [{"max_tokens": 3}, {"max_tokens": 6}, {}]
    mixture = resolve(spec_of(order="curriculum", curriculum=stages), index, 0)
    lengths = index.n_tokens[mixture.rows]
    assert (np.diff(np.digitize(lengths, [4, 7])) >= 0).all()
    assert sorted(mixture.rows.tolist()) == list(range(100))


def test_a_share_is_kept_for_later() -> None:
    """Special abilities first but for a tenth, which is replayed among the general rows."""
    index = sized(40, 60, 50)
    stages = [{"groups": ["code", "math"], "share": 0.9}, {}]
    mixture = resolve(spec_of(unit="rows", order="curriculum", curriculum=stages), index, 0)
    ability = index.ability[mixture.rows]
    assert np.bincount(ability[:90]).tolist() == [36, 54]
    assert np.bincount(ability[90:]).tolist() == [4, 6, 50]
    assert set(mixture.rows[:36].tolist()) <= set(range(100))


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"domain": True}], "5 rows, the first of 'code', are in no stage; end the list with `{}`, which takes any"),
        ([{"groups": ["cod"]}], "mix.curriculum.0: no group is named 'cod'; did you mean 'code'?"),
    ],
)
def test_stages_that_leave_rows_out(stages: list[dict[str, Any]], message: str) -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(RecipeError) as caught:
        resolve(spec_of(unit="rows", order="curriculum", curriculum=stages), sized(5), 0)
    assert message in str(caught.value)


def _index(rows: int, seed: int) -> PoolIndex:
    rng = np.random.default_rng(seed)
    abilities = rng.choice(4, rows, p=[0.6, 0.3, 0.08, 0.02])
    tokens = np.clip(rng.lognormal(4 + abilities % 3 / 2, 0.8), 2, 1000).astype(int)
    return index_of(abilities.tolist(), tokens.tolist())


@pytest.mark.parametrize("window", [1, 16, 64])
def test_packing_leaves_the_mix_within_two_windows(window: int) -> None:
    """Trained tokens of every prefix of sequences have the shares of the whole, to within what a window moves."""
    index = _index(6000, window)
    spec = spec_of(weights={"code": 4, "math": 3, "service": 2, "writing": 1}, budget=200_000)
    mixture = resolve(spec, index, 0)
    made = plan(index.n_tokens[mixture.rows], 1024, window)
    rows = mixture.rows[made.order]
    stream = _worst(index.ability[mixture.rows], index.n_trained[mixture.rows].astype(np.int64))
    packed = _worst(index.ability[rows], index.n_trained[rows].astype(np.int64))
    assert stream <= index.n_trained.max() * 2
    assert packed <= stream + 2 * window * 1024
