"""A mixture in words and in a table, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from curate.mixture.epochs import worth
from curate.mixture.resolve import GroupAmount, Mixture
from curate.mixture.spec import MixSpec

RULES = {
    "weights": "each {by} gets its share of the total, whatever its size",
    "amounts": "each {by} gives a fraction of its own data; changing one changes no other",
    "tokens": "each {by} gives a number of {unit}; changing one changes no other",
    "rows": "each {by} gives a number of rows; changing one changes no other",
    "epochs": "each {by} gives a number of passes over its own data; changing one changes no other",
    "domain_to_general": "every domain row comes exactly once; general data fills up to the ratio, new rows first",
    "temperature": "each {by} gets a share by its size to the power 1/T: small ones more than their part",
    "equal": "each {by} gets the same share, whatever its size",
    "proportional": "each {by} gets a share by its size: every row counts the same",
}
ORDERS = {
    "mixed": "every prefix of the stream has the shares of the whole, {bound}; packing moves a row by less than two windows",
    "shuffle": "a seeded shuffle: shares hold on average, not in every prefix",
    "curriculum": "stage by stage, each on-mix in itself",
}


def table(mixture: Mixture, spec: MixSpec, epochs: float = 1) -> list[list[str]]:
    """Returns head and lines of a table, one for each group, then the sum; passes are times ``epochs`` of training."""
    head = ["group", "has", "asked", "got", "share", "passes", "rows", "unused", "tokens", "trained tokens"]
    lines = [_line(group, epochs) for group in mixture.groups]
    sums = [
        f"{sum(getattr(group, name) for group in mixture.groups):,}"
        for name in ("available_units", "units_asked", "units_got", "rows", "unused_rows", "tokens", "trained_tokens")
    ]
    total = ["all", *sums[:3], "100%", "", *sums[3:]]
    head[1] = f"has ({spec.unit_words})"
    return [head, *lines, total]


def _line(group: GroupAmount, epochs: float) -> list[str]:
    cut = "" if group.units_possible == group.units_asked else f" (can {group.units_possible:,})"
    share = f"{group.share_got:.2%}"
    if abs(group.share_got - group.share_asked) >= 5e-4:
        share += f" of {group.share_asked:.2%}"
    return [
        f"{group.name}{' *' if group.domain else ''}",
        f"{group.available_units:,}",
        f"{group.units_asked:,}{cut}",
        f"{group.units_got:,}",
        share,
        f"{group.epochs * epochs:.3g}",
        f"{group.rows:,}",
        f"{group.unused_rows:,}",
        f"{group.tokens:,}",
        f"{group.trained_tokens:,}",
    ]


def explain(mixture: Mixture, spec: MixSpec) -> Iterator[str]:
    """Yields what a mixture does and why, line by line."""
    yield f"{spec.rule}: {RULES[spec.rule].format(by=spec.by.replace('_', ' '), unit=spec.unit_words)}"
    yield f"counted in {spec.unit_words}; {_total(mixture, spec)}"
    for name, inner in spec.inside.items():
        where = "every other group" if name == "*" else repr(name)
        yield f"inside {where}: {RULES[inner.rule].format(by=inner.by.replace('_', ' '), unit=spec.unit_words)}"
    if spec.per_group_max is not None:
        quota = spec.per_group_max
        of = f"each {quota.by}" if quota.by else "each group"
        yield f"quota: at most {quota.most:,} {quota.unit.replace('_', ' ')} of {of} take part, the first in rank order"
    yield f"rank: {_rank(spec)}; so a smaller amount is a prefix of a larger one, and new rows move no old one"
    yield f"order: {ORDERS[spec.order].format(bound=_bound(mixture, spec))}"
    repeated = [group for group in mixture.groups if group.epochs > 1]
    for group in repeated:
        yield (
            f"{group.name!r} is passed over {group.epochs:.3g} times, worth about {worth(group.epochs):.3g} passes of new "
            "data (Muennighoff et al. 2023)"
        )
    unused = sum(group.unused_rows for group in mixture.groups)
    if unused:
        yield f"{unused:,} rows are in no pass"
    yield from mixture.notes


def _total(mixture: Mixture, spec: MixSpec) -> str:
    got = sum(group.units_got for group in mixture.groups)
    asked = sum(group.units_asked for group in mixture.groups)
    return f"{got:,} in all" if got == asked else f"{got:,} in all, {asked:,} asked for"


def _rank(spec: MixSpec) -> str:
    if spec.rank_by is None:
        return "by a hash of seed, ability and row id"
    return (
        f"by the column {spec.rank_by!r}, {spec.rank_first} first, equal values by a hash of seed, ability and row id"
    )


def _bound(mixture: Mixture, spec: MixSpec) -> str:
    present = sum(1 for group in mixture.groups if group.rows)
    if spec.unit == "rows" and present > 1:
        return f"to within {1 - 1 / (2 * present - 2):.3g} rows (Tijdeman 1980)"
    return "to within the length of a few rows"


def aligned(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yields the lines of a table of text, numbers to the right."""
    widths = [max(len(line[k]) for line in cells) for k in range(len(cells[0]))]
    for line in cells:
        yield "  ".join(
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
