"""A mixture takes the shares asked for, from nested seeded prefixes, and says what it left out."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import RecipeError
from curate.mixture import lock, resolve
from curate.mixture.order import order_by_rows
from curate.mixture.tree import largest_remainder
from curate.pool import PoolIndex
from tests.curate.index_maker import NAMES, chosen_of, index_of, rows_of, sized, spec_of

indexes = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), min_size=1, max_size=80).map(
    lambda rows: index_of([a for a, _ in rows], [t for _, t in rows])
)
units = st.sampled_from(["trained_tokens", "tokens", "rows"])


@given(index=indexes, unit=units, seed=st.integers(0, 9))
@settings(deadline=None, max_examples=80)
def test_without_a_rule_every_row_comes_once(index: PoolIndex, unit: str, seed: int) -> None:
    """The default mixture is a permutation of the rows, all in the first pass."""
    mixture = resolve(spec_of(unit=unit), index, seed)
    assert sorted(mixture.rows.tolist()) == list(range(len(index)))
    assert not mixture.passes.any()
    assert not any(group.unused_rows for group in mixture.groups)


@pytest.mark.parametrize(("cap", "rows"), [(1, [25, 15, 10]), (2, [50, 30, 20]), (4, [80, 48, 32])])
def test_weights_hold_where_a_group_is_scarce(cap: int, rows: list[int]) -> None:
    """The total is that of the data, lowered until the scarcest group fits; shares stay as asked (OLMo-core's rule)."""
    spec = spec_of(unit="rows", weights={"code": 0.5, "math": 0.3, "service": 0.2, "writing": 0}, max_epochs=cap)
    mixture = resolve(spec, sized(100, 50, 10), seed=1)
    assert rows_of(mixture) == rows
    assert [group.share_got for group in mixture.groups] == pytest.approx([0.5, 0.3, 0.2])
    assert ("'service' would need more than max_epochs" in " ".join(mixture.notes)) == (cap < 4)


@pytest.mark.parametrize(
    ("total", "weights", "rows"),
    [(1353, (0.5, 0.3, 0.2), [676, 406, 271]), (10, (1, 1, 1), [4, 3, 3]), (250, (5, 3, 2), [125, 75, 50])],
)
def test_rows_are_apportioned_by_largest_remainder(total: int, weights: tuple[float, ...], rows: list[int]) -> None:
    """A budget of rows is met exactly; a tie of remainders goes to the first name."""
    spec = spec_of(unit="rows", budget=total, weights=dict(zip(NAMES, (*weights, 0), strict=True)))
    assert rows_of(resolve(spec, sized(1000, 1000, 1000), seed=0)) == rows


@given(total=st.integers(0, 10**6), weights=st.lists(st.integers(0, 50), min_size=1, max_size=9))
def test_largest_remainder_sums_to_the_total(total: int, weights: list[int]) -> None:
    """The numbers sum to the total and each is within one of its quota."""
    if not any(weights):
        weights[0] = 1
    parts = largest_remainder(total, [Fraction(weight) for weight in weights])
    assert sum(parts) == total
    assert all(abs(part - total * weight / sum(weights)) < 1 for part, weight in zip(parts, weights, strict=True))


def test_the_order_of_a_small_mixture() -> None:
    """Shares 5:3:2 are interleaved as the chairman assignment does by hand."""
    assert order_by_rows([5, 3, 2]).tolist() == [0, 1, 0, 2, 0, 1, 0, 2, 0, 1]
    assert order_by_rows([0, 3, 0]).tolist() == [1, 1, 1]
    assert order_by_rows([1, 1]).tolist() == [0, 1]


@given(index=indexes, unit=units, small=st.integers(1, 300), more=st.integers(0, 300), seed=st.integers(0, 5))
@settings(deadline=None, max_examples=120)
def test_a_larger_budget_only_adds_rows(index: PoolIndex, unit: str, small: int, more: int, seed: int) -> None:
    """Each group's places under the smaller budget are a prefix of those under the larger."""
    few = resolve(spec_of(unit=unit, budget=small), index, seed)
    many = resolve(spec_of(unit=unit, budget=small + more), index, seed)
    for ability in range(len(NAMES)):
        one, other = chosen_of(few, index, ability), chosen_of(many, index, ability)
        longer = other[: len(one)] if len(other) >= len(one) else one[: len(other)]
        assert longer == (one if len(other) >= len(one) else other)


@given(
    index=indexes,
    first=st.lists(st.integers(1, 9), min_size=4, max_size=4),
    second=st.lists(st.integers(1, 9), min_size=4, max_size=4),
)
@settings(deadline=None, max_examples=80)
def test_other_weights_grow_or_shrink_prefixes_and_swap_nothing(
    index: PoolIndex, first: list[int], second: list[int]
) -> None:
    """Under any two weightings, one group's places are a prefix of the other's."""
    mixtures = [
        resolve(spec_of(budget=60, weights=dict(zip(NAMES, weights, strict=True))), index, 3)
        for weights in (first, second)
    ]
    for ability in range(len(NAMES)):
        one, other = sorted((chosen_of(mixture, index, ability) for mixture in mixtures), key=len)
        assert other[: len(one)] == one


@given(index=indexes, unit=units, budget=st.integers(1, 2000), cap=st.sampled_from([0.5, 1.0, 1.5, 3.0]))
@settings(deadline=None, max_examples=120)
def test_amounts_are_met_to_half_a_row_and_epochs_never_exceeded(
    index: PoolIndex, unit: str, budget: int, cap: float
) -> None:
    """Got differs from asked by at most the longest row, by half of it below the cap; no group passes max_epochs."""
    mixture = resolve(spec_of(unit=unit, budget=budget, max_epochs=cap), index, 0)
    values = {"rows": np.ones(len(index), int), "tokens": index.n_tokens, "trained_tokens": index.n_trained}[unit]
    for group in mixture.groups:
        longest = int(values[index.ability == NAMES.index(group.name)].max())
        assert abs(group.units_got - group.units_possible) <= longest
        assert group.epochs <= cap
    mine = values[mixture.rows]
    assert sum(group.units_got for group in mixture.groups) == mine.sum()
    assert sum(group.tokens for group in mixture.groups) == index.n_tokens[mixture.rows].sum()
    assert sum(group.trained_tokens for group in mixture.groups) == index.n_trained[mixture.rows].sum()
    assert sum(group.unused_rows for group in mixture.groups) == len(index) - np.unique(mixture.rows).size


def test_epochs_are_whole_passes_and_a_prefix() -> None:
    """Two and a half epochs use every row twice and half of them a third time, in one and the same order."""
    index = sized(10)
    mixture = resolve(spec_of(unit="rows", budget=25), index, 0)
    rows, passes = mixture.rows.tolist(), mixture.passes.tolist()
    assert passes == [0] * 10 + [1] * 10 + [2] * 5
    assert rows[:10] == rows[10:20]
    assert rows[:5] == rows[20:]
    assert sorted(rows[:10]) == list(range(10))


@given(index=indexes, seed=st.integers(0, 99), data=st.data())
@settings(deadline=None, max_examples=60)
def test_the_order_of_the_pool_does_not_matter(index: PoolIndex, seed: int, data: st.DataObject) -> None:
    """The stream of ids is the same however the rows were cut into files."""
    order = np.array(data.draw(st.permutations(range(len(index)))))
    spec = spec_of(budget=50, unit="rows")
    assert resolve(spec, index, seed).sha256 == resolve(spec, index.take(order), seed).sha256


def test_more_rows_of_one_ability_leave_the_ranks_of_others() -> None:
    """A new source of one ability doesn't re-rank another ability's rows."""
    index = index_of([0] * 20 + [1] * 20, [3] * 40)
    spec = spec_of(unit="rows", budget=20)
    alone = resolve(spec, index.take(np.arange(20)), 5)
    both = resolve(spec_of(unit="rows", budget=40), index, 5)
    assert chosen_of(alone, index, 0) == chosen_of(both, index, 0)


def test_another_seed_is_another_order() -> None:
    """The seed decides the rank."""
    index = sized(50)
    assert resolve(spec_of(), index, 1).rows.tolist() != resolve(spec_of(), index, 2).rows.tolist()


def test_the_stream_of_a_seed_never_changes() -> None:
    """The digest of a known stream is what it was when the rank was defined, on every platform."""
    index = index_of([0, 1, 1, 2, 0, 3], [5, 3, 8, 2, 9, 4])
    mixture = resolve(spec_of(budget=20), index, 17)
    assert mixture.sha256 == "b552da20ce3976572cb7e2140ea761cf3ad42a2bee99710e5ba0574d97c15590"
    pairs = zip(index.ids[mixture.rows].tolist(), mixture.passes.tolist(), strict=True)
    octets = b"".join(a.to_bytes(8, "big") + b.to_bytes(8, "big") + p.to_bytes(2, "big") for (a, b), p in pairs)
    assert hashlib.sha256(octets).hexdigest() == mixture.sha256


@given(counts=st.lists(st.integers(1, 60), min_size=2, max_size=8))
@settings(deadline=None, max_examples=200)
def test_every_prefix_is_on_mix_in_rows(counts: list[int]) -> None:
    """After any number of rows each group is within 1 - 1/(2K - 2) rows of its share (Tijdeman 1980)."""
    names = tuple(f"g{k}" for k in range(len(counts)))
    abilities = [k for k, count in enumerate(counts) for _ in range(count)]
    index = index_of(abilities, [1] * len(abilities), names=names)
    mixture = resolve(spec_of(unit="rows"), index, 0)
    at = np.arange(1, len(mixture) + 1)
    bound = 1 - 1 / (2 * len(counts) - 2) if len(counts) > 1 else 0
    for ability, count in enumerate(counts):
        so_far = np.cumsum(index.ability[mixture.rows] == ability)
        assert np.abs(so_far - at * count / len(mixture)).max() <= bound + 1e-9


@given(index=indexes, unit=st.sampled_from(["tokens", "trained_tokens"]), budget=st.integers(1, 3000))
@settings(deadline=None, max_examples=200)
def test_every_prefix_is_on_mix_in_tokens(index: PoolIndex, unit: str, budget: int) -> None:
    """After any prefix each group has its share to within the half rows the order's proof allows."""
    mixture = resolve(spec_of(unit=unit, budget=budget), index, 0)
    values = (index.n_tokens if unit == "tokens" else index.n_trained)[mixture.rows].astype(np.int64)
    ability = index.ability[mixture.rows]
    whole = values.sum()
    if not whole:
        return
    longest = {int(a): values[ability == a].max() for a in np.unique(ability)}
    for mine, row in longest.items():
        share = values[ability == mine].sum() / whole
        bound = ((1 - share) * row + share * (sum(longest.values()) - row)) / 2
        so_far = np.cumsum(np.where(ability == mine, values, 0))
        assert np.abs(so_far - share * np.cumsum(values)).max() <= bound + 1e-9


def test_domain_rows_come_once_and_general_rows_fill_up() -> None:
    """With enough general data 1:5 takes five times the domain, each general ability by its size."""
    index = sized(60, 40, 10, domain=(False, False, True))
    mixture = resolve(spec_of(unit="rows", domain_to_general="1:5"), index, 0)
    assert rows_of(mixture) == [30, 20, 10]
    assert mixture.notes == ()
    assert lock(mixture, spec_of(unit="rows", domain_to_general="1:5"), "p")["domain_to_general"] == 5.0


def test_scarce_general_data_is_repeated_up_to_max_epochs() -> None:
    """Unique rows first, then whole passes; the ratio reached is said where the cap stops it."""
    index = sized(6, 4, 10, domain=(False, False, True))
    twice = resolve(spec_of(unit="rows", domain_to_general="1:2"), index, 0)
    assert rows_of(twice) == [12, 8, 10]
    capped = resolve(spec_of(unit="rows", domain_to_general="1:5"), index, 0)
    assert rows_of(capped) == [24, 16, 10]
    assert capped.notes == ("domain_to_general reaches 1:4, not 1:5: there are 10 general rows and max_epochs is 4",)


@given(index=indexes, data=st.data(), ratio=st.sampled_from(["1:0", "1:1", "2:3", "1:5", "1:2.5"]))
@settings(deadline=None, max_examples=80)
def test_domain_is_never_cut(index: PoolIndex, data: st.DataObject, ratio: str) -> None:
    """Whatever the ratio, every domain row comes exactly once, also where an ability holds both kinds."""
    flags = np.array(data.draw(st.lists(st.booleans(), min_size=len(index), max_size=len(index))))
    if not flags.any():
        flags[0] = True
    index = PoolIndex(**{**vars(index), "domain": flags})
    mixture = resolve(spec_of(domain_to_general=ratio), index, 0)
    domain = mixture.rows[flags[mixture.rows]]
    assert sorted(domain.tolist()) == np.flatnonzero(flags).tolist()
    for group in mixture.groups:
        assert group.epochs == 1 if group.domain else group.epochs <= 4
    assert len({group.name for group in mixture.groups}) == len(mixture.groups)


def test_groups_by_source_and_by_domain() -> None:
    """The same weights rule works over sources and over domain and general."""
    index = sized(30, 10, domain=(False, True))
    by_source = resolve(spec_of(by="source", unit="rows", weights={"code.jsonl": 1, "math.jsonl": 1}), index, 0)
    assert [group.share_got for group in by_source.groups] == [0.5, 0.5]
    by_domain = resolve(spec_of(by="domain", unit="rows", weights={"domain": 1, "general": 3}), index, 0)
    assert {group.name: (group.rows, group.domain) for group in by_domain.groups} == {
        "general": (30, False),
        "domain": (10, True),
    }


def test_repeats_beyond_four_passes_are_pointed_out() -> None:
    """A group used more than four times is named with its number of passes."""
    mixture = resolve(spec_of(unit="rows", budget=50, max_epochs=8), sized(10), 0)
    assert mixture.notes == ("'code' is repeated 5.0 times; beyond 4 passes repeats teach little",)


def test_group_without_any_unit_is_spread_evenly() -> None:
    """Rows without a trained token don't stop a mixture by default and stand evenly in it."""
    index = sized(4, 4)
    index = PoolIndex(**{**vars(index), "n_trained": np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=np.int32)})
    mixture = resolve(spec_of(), index, 0)
    assert index.ability[mixture.rows].tolist() == [0, 1] * 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"weights": {"code": 1, "wrting": 1}},
            "mix.weights: no rows have ability 'wrting'; did you mean 'writing'?",
        ),
        (
            {"weights": {"code": 1, "math": 1}},
            "ability 'service' has 5 rows and no number; give it one, or 0 to leave it out",
        ),
        ({"weights": {"code": 0, "math": 0, "service": 0, "writing": 1}}, "with a number above 0 has rows left"),
        ({"domain_to_general": "1:5"}, "no row is domain data with trained tokens; mark a source with `domain: true`"),
    ],
)
def test_rules_the_rows_cannot_satisfy(fields: dict[str, Any], message: str) -> None:
    """The message names the group and what to write."""
    with pytest.raises(RecipeError) as caught:
        resolve(spec_of(**fields), sized(5, 5, 5), 0)
    assert message in str(caught.value)


def test_weighted_group_without_units_is_refused() -> None:
    """A group without trained tokens can't have a share of them."""
    index = PoolIndex(**{**vars(sized(2, 2)), "n_trained": np.array([1, 1, 0, 0], dtype=np.int32)})
    with pytest.raises(RecipeError, match="ability 'math' has no trained tokens to take a share of"):
        resolve(spec_of(weights={"code": 1, "math": 1}), index, 0)


def test_no_rows_is_an_error() -> None:
    """A mixture of nothing is told, not written."""
    with pytest.raises(RecipeError, match="there are no rows to mix"):
        resolve(spec_of(), sized(), 0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weights": {"a": 1}, "domain_to_general": "1:5"}, "weights and domain_to_general both decide the shares"),
        ({"budget": 5, "domain_to_general": "1:5"}, "budget and domain_to_general both decide the total"),
        ({"domain_to_general": 65}, 'write the ratio in quotes, as in "1:5"; YAML reads an unquoted 1:5'),
        ({"domain_to_general": "5"}, "'5' is no ratio of domain to general data"),
        ({"domain_to_general": "0:5"}, "'0:5' is no ratio of domain to general data"),
        ({"max_epochs": 17}, "max_epochs 17 repeats rows past any known gain; at most 16"),
        ({"max_epochs": 1001, "force_epochs": True}, "max_epochs 1001: at most 1000, even when forced"),
        ({"epochs": {"a": 6}}, "epochs of 'a' is 6, above max_epochs 4; raise that"),
        (
            {"equal": True, "temperature": {}},
            "temperature gives shares by size to the power 1/T, equal gives every group",
        ),
        ({"amounts": {"a": 1}, "budget": 5}, "amounts gives every group a fraction of its own data and derives it"),
        ({"tokens": {"a": 5}, "unit": "rows"}, "write `rows:`, or leave the unit out"),
        ({"rows": {"a": 5}}, "rows counts rows and the unit is trained_tokens; add `unit: rows`"),
        ({"per_group_max": {"rows": 1, "tokens": 1}}, "takes exactly one of rows, tokens and trained_tokens"),
        ({"inside": {"a": {"by": "ability"}}}, "inside 'a': its rows are grouped by ability already"),
        (
            {"domain_to_general": "1:5", "inside": {"domain": {}}},
            "takes every domain row exactly once, so there is nothing",
        ),
        ({"order": "curriculum"}, "`order: curriculum` goes with a list of stages in `curriculum:`"),
        ({"weights": {"a": -1}}, "weights of 'a' is -1.0; it is a number from 0 up"),
        ({"weights": {"a": 0}}, "weights: no group has a number above 0"),
        ({"wieghts": {"a": 0}}, "wieghts"),
    ],
)
def test_specs_that_contradict_themselves(fields: dict[str, Any], message: str) -> None:
    """Each is refused before any row is read, saying why."""
    with pytest.raises(ValueError, match="validation error") as caught:
        spec_of(**fields)
    assert message in str(caught.value)


def test_lock_accounts_for_every_row() -> None:
    """The lock is JSON, names pool and seed, and counts what was left out."""
    index = sized(8, 4)
    spec = spec_of(unit="rows", weights={"code": 1, "math": 3}, max_epochs=1)
    mixture = resolve(spec, index, 7)
    found = lock(mixture, spec, "pool-key")
    assert orjson.loads(orjson.dumps(found)) == found
    assert (found["pool"], found["seed"], found["rows"]) == ("pool-key", 7, len(mixture))
    assert found["unused_rows"] == len(index) - np.unique(mixture.rows).size
    assert found["stream"] == {"rows": len(mixture), "sha256": mixture.sha256}
    assert found["groups"][0]["name"] == "code"


def test_mixture_loads_without_numba() -> None:
    """Reading a recipe's mixture doesn't start the compiler."""
    code = "import sys, curate.mixture; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
