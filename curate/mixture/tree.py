"""Groups as a tree, each node knowing how much it can give and how it shares a total out among its children.

A leaf is a group of rows. Shares are exact fractions; what is taken is whole units, by largest remainder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import cached_property
from itertools import chain

from curate.errors import RecipeError, did_you_mean
from curate.mixture.index import Group, MixIndex, Rows, grouped, make_group
from curate.mixture.rules import OTHERS, By, InnerMix, ShareRule, Temperature
from curate.mixture.spec import MixSpec

_DIGITS = Context(prec=40)


@dataclass(frozen=True)
class Leaf:
    """One group of rows."""

    name: str
    group: Group
    max_epochs: Fraction

    @property
    def leaves(self) -> list[Leaf]:
        """Itself."""
        return [self]

    @property
    def total(self) -> int:
        """Units of one pass."""
        return self.group.total

    @property
    def most(self) -> Fraction:
        """Units of ``max_epochs`` passes."""
        return self.max_epochs * self.group.total

    def split(self, units: int, capped: bool) -> list[int]:
        """Returns the units to take, at most what ``max_epochs`` allows where capped."""
        return [min(units, int(self.most)) if capped else units]


@dataclass(frozen=True)
class Branch:
    """Groups that share a total out among themselves."""

    name: str
    children: tuple[Leaf | Branch, ...]
    shares: tuple[Fraction, ...]
    keep_shares: bool

    @cached_property
    def leaves(self) -> list[Leaf]:
        """All groups of rows below."""
        return [leaf for child in self.children for leaf in child.leaves]

    @cached_property
    def total(self) -> int:
        """Units of one pass over all children with a share."""
        return sum(child.total for child, share in zip(self.children, self.shares, strict=True) if share)

    @cached_property
    def most(self) -> Fraction:
        """Units it can give: all its children can, or as much as keeps the shares."""
        taking = [(child, share) for child, share in zip(self.children, self.shares, strict=True) if share]
        if not self.keep_shares:
            return sum((child.most for child, _ in taking), Fraction(0))
        whole = sum(self.shares)
        return min((child.most * whole / share for child, share in taking), default=Fraction(0))

    @property
    def scarcest(self) -> str:
        """Name of the child that runs out first when all shares are kept."""
        taking = [
            (child.most / share, child.name) for child, share in zip(self.children, self.shares, strict=True) if share
        ]
        return min(taking)[1]

    def split(self, units: int, capped: bool) -> list[int]:
        """Returns the units of every leaf; where capped no child gets more than it can give."""
        if capped and not self.keep_shares:
            parts = fill(units, self.shares, [child.most for child in self.children])
        else:
            parts = largest_remainder(units, self.shares)
        return list(
            chain.from_iterable(child.split(part, capped) for child, part in zip(self.children, parts, strict=True))
        )


Node = Leaf | Branch


def largest_remainder(total: int, shares: Sequence[Fraction]) -> list[int]:
    """Splits ``total`` into whole numbers in proportion to ``shares``; ties of the remainder go to the lower place.

    The numbers sum to ``total`` and each is within one of its exact quota (Hamilton's method).
    """
    whole = sum(shares, Fraction(0))
    if not whole:
        return [0] * len(shares)
    quotas = [total * share / whole for share in shares]
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda k: (counts[k] - quotas[k], k))
    for k in by_remainder[: total - sum(counts)]:
        counts[k] += 1
    return counts


def fill(total: int, shares: Sequence[Fraction], most: Sequence[Fraction]) -> list[int]:
    """Splits ``total`` by ``shares`` where none may exceed ``most``: who can't take its share takes all it can.

    What those leave is shared out among the others in proportion (water-filling).
    """
    parts = [0] * len(shares)
    taking = sorted((k for k, share in enumerate(shares) if share), key=lambda k: (most[k] / shares[k], k))
    left, whole = total, sum((shares[k] for k in taking), Fraction(0))
    for place, k in enumerate(taking):
        if left * shares[k] <= most[k] * whole:
            rest = taking[place:]
            for other, part in zip(rest, largest_remainder(left, [shares[r] for r in rest]), strict=True):
                parts[other] = min(part, int(most[other]))
            return parts
        parts[k] = int(most[k])
        left, whole = left - parts[k], whole - shares[k]
    return parts


def temperature_rates(sizes: Sequence[int], temperature: Temperature) -> list[Fraction]:
    """Returns min(size, cap) ** (1/T), to 40 digits, so that it is the same number on every machine."""
    power = _DIGITS.divide(Decimal(1), Decimal(repr(temperature.T)))
    capped = [min(size, temperature.cap or size) for size in sizes]
    return [Fraction(_DIGITS.power(Decimal(size), power)) if size else Fraction(0) for size in capped]


class Grower:
    """Builds the tree of a spec over an index."""

    def __init__(self, spec: MixSpec, index: MixIndex) -> None:
        self.spec, self.index = spec, index
        self.units = index.units(spec.unit)
        self.max_epochs = Fraction(str(spec.max_epochs))
        self.notes: list[str] = []

    def children(self, rule: ShareRule, places: Rows, path: str = "", quota: bool = True) -> dict[str, Node]:
        """Returns a node for each group the ranked places fall into; ``inside`` says which are branches."""
        codes, names = self.index.codes(rule.by)
        _check_inside(rule, names)
        found: dict[str, Node] = {}
        for code, mine in grouped(places, codes):
            inner = rule.inside.get(names[code], rule.inside.get(OTHERS))
            found[names[code]] = self.node(names[code], path + names[code], mine, inner, quota)
        return found

    def node(self, name: str, label: str, places: Rows, inner: InnerMix | None, quota: bool) -> Node:
        """Returns a leaf, or a branch where the places are shared out further."""
        if inner is None:
            limit = self.spec.per_group_max if quota else None
            return Leaf(name, make_group(self.index, label, places, self.units, limit), self.max_epochs)
        return self.branch(name, inner, self.children(inner, places, f"{label}/"))

    def branch(self, name: str, rule: ShareRule, children: Mapping[str, Node]) -> Branch:
        """Returns a branch whose shares follow the rule."""
        shares = self.shares(rule, children)
        return Branch(name, tuple(children.values()), tuple(shares), self.spec.when_short == "keep_shares")

    def shares(self, rule: ShareRule, children: Mapping[str, Node]) -> list[Fraction]:
        """Returns the share of each child, in any scale."""
        if rule.weights is not None:
            numbers = self.given("weights", rule.weights, rule.by, children)
            return [Fraction(str(number)) for number in numbers]
        sizes = [child.total for child in children.values()]
        if rule.temperature is not None:
            return temperature_rates(sizes, rule.temperature)
        if rule.equal:
            return [Fraction(bool(size)) for size in sizes]
        return [Fraction(size) for size in sizes]

    def given(self, key: str, numbers: Mapping[str, float], by: By, children: Mapping[str, Node]) -> list[float]:
        """Returns the number given for each child.

        Raises:
            RecipeError: for an unknown name, a group without a number, or one with nothing to give.
        """
        known = self.index.codes(by)[1]
        for name in numbers:
            if name not in known and name != OTHERS:
                raise RecipeError(f"mix.{key}: no rows have {by} {name!r}{did_you_mean(name, known)}")
            if numbers[name] and name not in children and name != OTHERS:
                rest = "; the others share its part" if key == "weights" else ""
                self.notes.append(f"{by} {name!r} has a number in {key} but no rows left{rest}")
        found = []
        for name, child in children.items():
            if name not in numbers and OTHERS not in numbers:
                rows = sum(leaf.group.available for leaf in child.leaves)
                raise RecipeError(
                    f"mix.{key}: {by} {name!r} has {rows:,} rows and no number; give it one, or 0 to leave it out, or "
                    "'*' for all that are not named"
                )
            number = numbers.get(name, numbers.get(OTHERS, 0))
            if number and not child.total:
                raise RecipeError(f"mix.{key}: {by} {name!r} has no {self.spec.unit_words} to take a share of")
            found.append(number)
        if not any(found):
            raise RecipeError(f"mix.{key}: no {by} with a number above 0 has rows left, so nothing would be trained")
        return found


def _check_inside(rule: ShareRule, names: tuple[str, ...]) -> None:
    for name in rule.inside:
        if name not in names and name != OTHERS:
            raise RecipeError(f"mix.inside: no rows have {rule.by} {name!r}{did_you_mean(name, names)}")


def domain_sides(index: MixIndex, ranked: Rows) -> tuple[Rows, Rows]:
    """Returns the ranked places of domain rows and of general rows."""
    flags = index.domain[ranked]
    return ranked[flags], ranked[~flags]
