"""From a rule to whole numbers of units for each group: what is asked, and what its rows can give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from curate.errors import RecipeError, did_you_mean
from curate.mixture.epochs import WARN_EPOCHS
from curate.mixture.index import Group, MixIndex, Rows
from curate.mixture.rules import OTHERS, InnerMix
from curate.mixture.spec import MixSpec
from curate.mixture.tree import Branch, Grower, Leaf, Node, domain_sides


@dataclass(frozen=True)
class Amounts:
    """Groups, the units asked of each and those it can give, and what the user should know."""

    groups: tuple[Group, ...]
    asked: tuple[int, ...]
    possible: tuple[int, ...]
    notes: tuple[str, ...]


def decide_amounts(spec: MixSpec, index: MixIndex) -> Amounts:
    """Returns how many units of each group the spec asks for, and how many caps leave.

    Raises:
        RecipeError: for numbers or a ratio the rows can't satisfy.
    """
    grower = Grower(spec, index)
    ranked = index.ranked(spec)
    if spec.domain_to_general is not None:
        found = _by_ratio(grower, *_sides(grower, domain_sides(index, ranked)))
    else:
        children = grower.children(spec, ranked)
        numbers = spec.amounts or spec.epochs or spec.tokens or spec.rows
        found = _by_numbers(grower, numbers, children) if numbers else _by_shares(grower, children)
    return replace(found, notes=(*grower.notes, *found.notes, *_many_epochs(found)))


def _amounts(leaves: Sequence[Leaf], asked: Sequence[int], possible: Sequence[int], *notes: str) -> Amounts:
    return Amounts(tuple(leaf.group for leaf in leaves), tuple(asked), tuple(possible), notes)


def _by_shares(grower: Grower, children: dict[str, Node]) -> Amounts:
    """Splits the budget, or all units of groups with a share, keeping what caps allow."""
    spec = grower.spec
    root = grower.branch("", spec, children)
    wanted = spec.budget or root.total
    total = min(wanted, int(root.most))
    asked, possible = root.split(wanted, capped=False), root.split(total, capped=True)
    if total == wanted:
        return _amounts(root.leaves, asked, possible, *_moved(grower, root.leaves, asked, possible))
    if not root.keep_shares:
        note = (
            f"{sum(possible):,} {spec.unit_words} are all there are at max_epochs: {spec.max_epochs:g}, not {wanted:,}"
        )
        return _amounts(root.leaves, asked, possible, note)
    note = (
        f"the total is {total:,} {spec.unit_words}, not {wanted:,}: at the shares asked for, {root.scarcest!r} would need "
        f"more than max_epochs: {spec.max_epochs:g}; `when_short: keep_total` would share the rest out"
    )
    return _amounts(root.leaves, asked, possible, note)


def _moved(grower: Grower, leaves: Sequence[Leaf], asked: Sequence[int], possible: Sequence[int]) -> list[str]:
    """Says which groups could not take their share where others took the rest of it."""
    if grower.spec.when_short == "keep_shares":
        return []
    return [
        f"{leaf.group.label!r} gives {can:,} {grower.spec.unit_words}, all it has at max_epochs: "
        f"{grower.spec.max_epochs:g}, not {want:,}; the others share the rest"
        for leaf, want, can in zip(leaves, asked, possible, strict=True)
        if can == int(leaf.most) < want - 1
    ]


def _by_numbers(grower: Grower, numbers: dict[str, float] | dict[str, int], children: dict[str, Node]) -> Amounts:
    """Gives each group the number of its own; no group's amount depends on another's."""
    spec = grower.spec
    given = grower.given(spec.rule, numbers, spec.by, children)
    asked: list[int] = []
    possible: list[int] = []
    notes: list[str] = []
    for (name, child), number in zip(children.items(), given, strict=True):
        want = round(Fraction(str(number)) * child.total) if spec.rule in ("amounts", "epochs") else int(number)
        can = min(want, int(child.most))
        asked += child.split(want, capped=False)
        possible += child.split(can, capped=True)
        if can < want:
            notes.append(
                f"{name!r} gives {can:,} {spec.unit_words}, not {want:,}: it has {child.total:,} and max_epochs is "
                f"{spec.max_epochs:g}"
            )
    return _amounts([leaf for child in children.values() for leaf in child.leaves], asked, possible, *notes)


def _sides(grower: Grower, sides: tuple[Rows, Rows]) -> tuple[dict[str, Node], Branch]:
    """Returns the domain's groups, never cut, and the general side as one branch."""
    spec = grower.spec
    domain, general = sides
    for name in spec.inside:
        if name not in ("general", OTHERS):
            raise RecipeError(f"mix.inside: under domain_to_general: {name!r}{did_you_mean(name, ['general', OTHERS])}")
    inner = spec.inside.get("general", spec.inside.get(OTHERS, InnerMix(by=spec.by)))
    whole = grower.children(InnerMix(by=spec.by), domain, quota=False)
    parts = grower.children(inner, general)
    return whole, grower.branch("general", inner, parts)


def _by_ratio(grower: Grower, domain: dict[str, Node], general: Branch) -> Amounts:
    """Takes domain groups once, whole, and general data up to ratio times as much."""
    spec = grower.spec
    once = [node.total for node in domain.values()]
    have = sum(once)
    if not have:
        raise RecipeError(
            f"mix.domain_to_general: no row is domain data with {spec.unit_words}; mark a source with `domain: true`"
        )
    wanted = int(spec.general_per_domain * have)
    total = min(wanted, int(general.most))
    notes = []
    if total < wanted:
        scarce = "" if spec.inside == {} else f", where {general.scarcest!r} runs out first"
        notes = [
            f"domain_to_general reaches 1:{total / have:.3g}, not {spec.domain_to_general}: there are {general.total:,} "
            f"general {spec.unit_words} and max_epochs is {spec.max_epochs:g}{scarce}"
        ]
    leaves = [leaf for node in domain.values() for leaf in node.leaves]
    labels = {leaf.group.label for leaf in leaves} & {leaf.group.label for leaf in general.leaves}
    asked = [*once, *general.split(wanted, capped=False)]
    possible = [*once, *general.split(total, capped=True)]
    named = [_named(leaf, labels) for leaf in [*leaves, *general.leaves]]
    order = sorted(range(len(named)), key=lambda k: named[k].group.label)
    return _amounts([named[k] for k in order], [asked[k] for k in order], [possible[k] for k in order], *notes)


def _named(leaf: Leaf, both: set[str]) -> Leaf:
    """Returns a leaf whose label tells the sides apart where a group stands on both."""
    if leaf.group.label not in both:
        return leaf
    side = "domain" if leaf.group.domain else "general"
    return replace(leaf, group=replace(leaf.group, label=f"{leaf.group.label} ({side})"))


def _many_epochs(found: Amounts) -> list[str]:
    return [
        f"{group.label!r} is repeated {n / group.total:.1f} times; beyond {WARN_EPOCHS} passes repeats teach little"
        for group, n in zip(found.groups, found.possible, strict=True)
        if n > WARN_EPOCHS * group.total
    ]
