"""Shares follow their published formulas, and caps share out what a group can't give."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.mixture import resolve
from curate.mixture.rules import Temperature
from curate.mixture.tree import fill, temperature_rates
from tests.curate.index_maker import rows_of, sized, spec_of

SIZES = (10_000, 1_000, 100_000, 500_000)


def _shares(sizes: tuple[int, ...], **fields: float) -> list[float]:
    rates = temperature_rates(sizes, Temperature.model_validate(fields))
    return [float(rate / sum(rates)) for rate in rates]


@pytest.mark.parametrize(
    ("fields", "shares"),
    [
        ({"T": 1}, [0.016367, 0.001637, 0.163666, 0.818331]),
        ({"T": 2}, [0.086583, 0.027380, 0.273800, 0.612236]),
        ({"T": 4}, [0.166673, 0.093727, 0.296391, 0.443208]),
        ({"T": 1, "cap": 1 << 16}, [0.070387, 0.007039, 0.461287, 0.461287]),
        ({"T": 2, "cap": 1 << 16}, [0.155371, 0.049132, 0.397749, 0.397749]),
        ({"T": 4, "cap": 1 << 16}, [0.209981, 0.118081, 0.335969, 0.335969]),
    ],
)
def test_temperature_is_that_of_t5(fields: dict[str, float], shares: list[float]) -> None:
    """The cap comes before the temperature, as in Raffel et al. 2020, section 3.5.2."""
    assert _shares(SIZES, **fields) == pytest.approx(shares, abs=6e-7)


sizes = st.lists(st.integers(1, 10**6), min_size=1, max_size=8).map(tuple)


@given(sizes=sizes, order=st.randoms(use_true_random=False))
def test_temperature_follows_sizes(sizes: tuple[int, ...], order: object) -> None:
    """A larger group never has a smaller share; renaming groups renames shares; a cap above all sizes does nothing."""
    shares = _shares(sizes, T=2)
    assert all(a <= b for (_, a), (_, b) in pairwise(sorted(zip(sizes, shares, strict=True))))
    assert _shares(sizes[::-1], T=2) == shares[::-1]
    assert _shares(sizes, T=2, cap=max(sizes)) == shares


@given(sizes=sizes)
def test_higher_temperatures_flatten(sizes: tuple[int, ...]) -> None:
    """Entropy never falls as T rises."""
    entropies = []
    for temperature in (1, 1.5, 2, 4, 8, 1000):
        shares = np.array(_shares(sizes, T=temperature))
        entropies.append(-(shares * np.log(shares)).sum())
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(entropies))


def test_temperature_lifts_small_abilities() -> None:
    """T=2 over 100 and 400 rows gives shares 1:2."""
    spec = spec_of(unit="rows", temperature={"T": 2}, budget=300)
    assert rows_of(resolve(spec, sized(100, 400), 0)) == [100, 200]


def test_equal_gives_every_ability_the_same() -> None:
    """Without a budget the total is that of the data, lowered until the smallest group fits."""
    assert rows_of(resolve(spec_of(unit="rows", equal=True, budget=30), sized(100, 50, 20), 0)) == [10, 10, 10]
    assert rows_of(resolve(spec_of(unit="rows", equal=True), sized(100, 50, 20), 0)) == [57, 57, 56]
    assert rows_of(resolve(spec_of(unit="rows", equal=True, max_epochs=1), sized(100, 50, 20), 0)) == [20, 20, 20]


def test_a_kept_total_moves_what_a_group_cannot_give() -> None:
    """With keep_total the scarce group gives all it can and the others share the rest by their weights."""
    fields = {"unit": "rows", "budget": 100, "weights": {"code": 0.5, "math": 0.3, "service": 0.2}, "max_epochs": 1}
    kept = resolve(spec_of(**fields), sized(100, 50, 10), 0)
    moved = resolve(spec_of(**fields, when_short="keep_total"), sized(100, 50, 10), 0)
    assert rows_of(kept) == [25, 15, 10]
    assert rows_of(moved) == [56, 34, 10]
    assert [group.units_asked for group in moved.groups] == [50, 30, 20]
    assert kept.notes == (
        "the total is 50 rows, not 100: at the shares asked for, 'service' would need more than max_epochs: 1; "
        "`when_short: keep_total` would share the rest out",
    )
    assert moved.notes == ("'service' gives 10 rows, all it has at max_epochs: 1, not 20; the others share the rest",)


@given(
    total=st.integers(0, 5000),
    groups=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 900)), min_size=1, max_size=7),
)
def test_filling_keeps_totals_and_caps(total: int, groups: list[tuple[int, int]]) -> None:
    """No group exceeds its cap; the total is met unless all that may take are full."""
    shares = [Fraction(share) for share, _ in groups]
    most = [Fraction(cap) for _, cap in groups]
    parts = fill(total, shares, most)
    room = sum(cap for share, cap in groups if share)
    assert all(part <= cap for part, cap in zip(parts, most, strict=True))
    assert all(share or not part for part, share in zip(parts, shares, strict=True))
    assert min(total, room) - len(groups) <= sum(parts) <= min(total, room)
