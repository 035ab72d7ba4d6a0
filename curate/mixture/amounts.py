"""From shares to whole numbers of units for each group, with the passes that needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from curate.errors import RecipeError, did_you_mean
from curate.mixture.rows import Group
from curate.mixture.spec import WARN_EPOCHS, MixSpec


@dataclass(frozen=True)
class Amounts:
    """Units to take of each group, the share each was asked to have, and what the user should know."""

    units: tuple[int, ...]
    shares: tuple[float, ...]
    notes: tuple[str, ...]


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


def decide_amounts(spec: MixSpec, groups: Sequence[Group], known: Sequence[str]) -> Amounts:
    """Returns how many units of each group the spec asks for, lowered where ``max_epochs`` can't give them.

    ``known`` are the names weights may have. Raises RecipeError for weights or a ratio the rows can't satisfy.
    """
    if spec.weights is not None:
        found = _by_weights(spec, spec.weights, groups, known)
    elif spec.domain_to_general is not None:
        found = _by_ratio(spec, groups)
    else:
        found = _by_shares(spec, groups, [Fraction(group.total) for group in groups])
    return Amounts(found.units, found.shares, (*found.notes, *_many_epochs(groups, found.units)))


def _by_weights(spec: MixSpec, weights: dict[str, float], groups: Sequence[Group], known: Sequence[str]) -> Amounts:
    for name in weights:
        if name not in known:
            raise RecipeError(f"mix.weights: no rows have {spec.by} {name!r}{did_you_mean(name, known)}")
    for group in groups:
        if group.name not in weights:
            raise RecipeError(
                f"mix.weights: {spec.by} {group.name!r} has {len(group.rows):,} rows and no weight; give it one, or 0 to "
                "leave it out"
            )
        if weights[group.name] and not group.total:
            raise RecipeError(f"mix.weights: {spec.by} {group.name!r} has no {_words(spec)} to take a share of")
    present = {group.name for group in groups}
    notes = [
        f"{spec.by} {name!r} has a weight but no rows left; the others share its part"
        for name, weight in weights.items()
        if weight and name not in present
    ]
    shares = [Fraction(str(weights[group.name])) for group in groups]
    if not any(shares):
        raise RecipeError(f"mix.weights: no {spec.by} with a weight above 0 has rows left, so nothing would be trained")
    found = _by_shares(spec, groups, shares)
    return Amounts(found.units, found.shares, (*notes, *found.notes))


def _by_shares(spec: MixSpec, groups: Sequence[Group], shares: Sequence[Fraction]) -> Amounts:
    """Splits the budget, or all units of groups with a share, keeping the shares where a group would run out."""
    whole = sum(shares, Fraction(0))
    if not whole:  # rows without a single unit, every one taken once
        return Amounts((0,) * len(groups), (0.0,) * len(groups), ())
    wanted = spec.budget or sum(group.total for group, share in zip(groups, shares, strict=True) if share)
    most = Fraction(str(spec.max_epochs))
    limits = [
        (most * group.total * whole / share, group.name) for group, share in zip(groups, shares, strict=True) if share
    ]
    limit, scarce = min(limits)
    total = min(wanted, int(limit))
    notes: tuple[str, ...] = ()
    if total < wanted:
        notes = (
            f"the total is {total:,} {_words(spec)}, not {wanted:,}: at the shares asked for, {scarce!r} would need more "
            f"than max_epochs: {spec.max_epochs:g}",
        )
    units = largest_remainder(total, shares)
    capped = [min(n, int(most * group.total)) for n, group in zip(units, groups, strict=True)]
    return Amounts(tuple(capped), tuple(float(share / whole) for share in shares), notes)


def _by_ratio(spec: MixSpec, groups: Sequence[Group]) -> Amounts:
    """Takes domain groups once, whole; general groups, in proportion to their size, up to ratio times as much."""
    domain = sum(group.total for group in groups if group.domain)
    general = sum(group.total for group in groups if not group.domain)
    if not domain:
        raise RecipeError(
            f"mix.domain_to_general: no row is domain data with {_words(spec)}; mark a source with `domain: true`"
        )
    wanted = int(spec.general_per_domain * domain)
    total = min(wanted, int(Fraction(str(spec.max_epochs)) * general))
    sizes = [Fraction(0 if group.domain else group.total) for group in groups]
    parts = largest_remainder(total, sizes)
    units = tuple(group.total if group.domain else n for group, n in zip(groups, parts, strict=True))
    notes: tuple[str, ...] = ()
    if total < wanted:
        notes = (
            f"domain_to_general reaches 1:{total / domain:.3g}, not {spec.domain_to_general}: there are {general:,} general "
            f"{_words(spec)} and max_epochs is {spec.max_epochs:g}",
        )
    asked = domain + wanted
    shares = (
        float(group.total if group.domain else wanted * size / (general or 1))
        for group, size in zip(groups, sizes, strict=True)
    )
    return Amounts(units, tuple(share / asked for share in shares), notes)


def _many_epochs(groups: Sequence[Group], units: Sequence[int]) -> list[str]:
    return [
        f"{group.name!r} is repeated {n / group.total:.1f} times; beyond {WARN_EPOCHS} passes repeats teach little"
        for group, n in zip(groups, units, strict=True)
        if n > WARN_EPOCHS * group.total
    ]


def _words(spec: MixSpec) -> str:
    return spec.unit.replace("_", " ")
