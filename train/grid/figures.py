"""The figures of a report: ladders, the trade-off between abilities, the response surface, and all mixtures in a row."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import combinations
from typing import NamedTuple

import numpy as np

from train.grid.plots import BEST, EDGE, GREY, Array, Curve, Kind, Mark, dot, linear, scatter, svg, width_of
from train.grid.search import Search
from train.grid.verdict import Verdict

STEPS = 41
DRAWS = 200
MOST_PAIRS = 10
MOST_ROWS = 24
CELLS = 32
"""Cells along one side of the surface."""
COLOURS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Viridis, from the best to the worst."""


class Run(NamedTuple):
    """A mix run at full length: what was trained on, its mean losses and its objective."""

    name: str
    mixture: Array
    losses: Array
    value: float
    kind: Kind
    runs: int


def runs_of(search: Search) -> Iterator[Run]:
    """Yields each mix of the search that was run to its full length on the whole budget."""
    for name, keys in search.names.items():
        for found in search.results.lessons([keys]):
            losses = np.array(found.losses)
            kind: Kind = "baseline" if name in search.baselines else "run"
            yield Run(name, np.array(found.mixture), losses, float(search.value(losses)), kind, len(keys))


def ladders(search: Search, verdict: Verdict) -> str:
    """Returns for each ability its loss over its own part of the mixture, measured and as the law has it."""
    parts, share = [], search.space.reading == "share"
    for place, ability in enumerate(search.abilities):
        size = 1.0 if share else float(search.shop.sizes[place])
        bar = float(search.noise[place])
        marks = [
            Mark(float(r.mixture[place]) / size, float(r.losses[place]), r.name, r.kind, bar) for r in runs_of(search)
        ]
        curve = _ladder(search, verdict, place)
        title = f"share of {ability}" if share else f"part of the data of {ability}"
        parts.append(scatter(marks, title, f"loss of {ability}", curve=curve, shares=True))
    return _side_by_side(parts)


def predicted_name(verdict: Verdict) -> str:
    """Returns what the law's prediction is of: the recommended mixture, or without a signal any mixture."""
    return "recommended (predicted)" if verdict.has_signal else "mean of all runs"


def _ladder(search: Search, verdict: Verdict, place: int) -> Curve:
    """Returns the loss of an ability where only its own part of the recommended mixture changes."""
    best = np.array(verdict.best.shares)
    steps = np.linspace(0, 1, STEPS) ** 2
    if search.space.reading == "share":
        others = np.delete(best, place)
        others = others / others.sum() if others.sum() else np.full(len(others), 1 / max(1, len(others)))
        rows = np.insert((1 - steps)[:, None] * others, place, steps, axis=1)
    else:
        rows = np.repeat(best[None], STEPS, axis=0)
        rows[:, place] = steps * float(search.shop.sizes[place])
        rows, steps = rows[rows.sum(axis=1) > 0], steps[rows.sum(axis=1) > 0]
    drawn = verdict.law.sample(rows, DRAWS, search.config.train.seed)[:, :, place]
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    return Curve(steps, drawn.mean(axis=0), low, high)


def trade_offs(search: Search, verdict: Verdict) -> str:
    """Returns for pairs of abilities what every mix reached on both, and the front no mix is below."""
    found = list(runs_of(search))
    best = verdict.law.predict(np.array([verdict.best.shares])).mean[0]
    parts = []
    for a, b in list(combinations(range(len(search.abilities)), 2))[:MOST_PAIRS]:
        marks = [Mark(float(r.losses[a]), float(r.losses[b]), r.name, r.kind, float(search.noise[b])) for r in found]
        marks.append(Mark(float(best[a]), float(best[b]), predicted_name(verdict), "best"))
        parts.append(scatter(marks, f"loss of {search.abilities[a]}", f"loss of {search.abilities[b]}", front=True))
    return _side_by_side(parts)


def standings(search: Search, verdict: Verdict) -> str:
    """Returns the best mixes and all baselines in the order of their objective, the recommended one on top."""
    ranked = sorted(runs_of(search), key=lambda run: run.value)
    lines = [
        run for place, run in enumerate(ranked) if run.kind == "baseline" or place < MOST_ROWS - len(search.baselines)
    ]
    noise = search.run_noise
    left = min(420.0, 24 + max(width_of(run.name) for run in lines) if lines else 24)
    names = [(predicted_name(verdict), verdict.best.value, 1.645 * verdict.best.std, "best")]
    names += [(r.name, r.value, noise * (search.config.seeds / r.runs) ** 0.5, r.kind) for r in lines]
    xs, ticks = linear([v for _, x, bar, _ in names for v in (x - bar, x + bar)], left, 900 - EDGE)
    floor = 20 * len(names) + 8
    parts = [f'<path d="M{xs.at(t):.1f} 0V{floor}" stroke="#eee"/>' for t in ticks]
    parts.append(f'<path d="M{xs.at(verdict.best.value):.1f} 0V{floor}" stroke="{BEST}" stroke-dasharray="3 3"/>')
    for place, (name, value, bar, kind) in enumerate(names):
        y = 20 * place + 14
        shown = name if width_of(name) <= left - 24 else name[: int((left - 30) / 6.2)] + "…"
        parts.append(f'<text x="{left - 12:.0f}" y="{y + 4}" text-anchor="end">{escape(shown)}</text>')
        parts.append(
            f'<path d="M{xs.at(value - bar):.1f} {y}H{xs.at(value + bar):.1f}" stroke="{GREY}" stroke-width="1.5"/>'
        )
        parts.append(dot(xs.at(value), y, kind, f"{name}: {value:.4f} ± {bar:.4f}"))  # type: ignore[arg-type]
    parts += [f'<text x="{xs.at(t):.1f}" y="{floor + 14}" text-anchor="middle">{t:g}</text>' for t in ticks]
    parts.append(
        f'<text x="{(left + 900) / 2:.0f}" y="{floor + 32}" text-anchor="middle">objective (lower is better)</text>'
    )
    return svg(900, floor + 40, parts)


def surface(search: Search, verdict: Verdict) -> str:
    """Returns the predicted objective over all shares of three abilities, as a triangle; nothing for other searches."""
    if len(search.abilities) != 3 or search.space.reading != "share":
        return ""
    side, top, left = 440.0, 34.0, 60.0
    height = side * 3**0.5 / 2

    def place(shares: Array) -> tuple[float, float]:
        return left + side * float(shares[2] + shares[0] / 2), top + height * float(1 - shares[0])

    cells = [
        _cell(a, b, up)
        for a in range(CELLS)
        for b in range(CELLS - a)
        for up in (True, False)
        if up or a + b < CELLS - 1
    ]
    middles = np.array([cell.mean(axis=0) for cell in cells])
    values = search.value(verdict.law.predict(middles).mean)
    low, high = float(values.min()), float(np.quantile(values, 0.9))
    parts = []
    for cell, value in zip(cells, values.tolist(), strict=True):
        points = " ".join("{:.1f},{:.1f}".format(*place(corner)) for corner in cell)
        fill = _colour((value - low) / (high - low or 1))
        parts.append(f'<polygon points="{points}" fill="{fill}" stroke="{fill}"><title>{value:.4f}</title></polygon>')
    for run in runs_of(search):
        parts.append(dot(*place(run.mixture), run.kind, f"{run.name}: {run.value:.4f}"))
    parts.append(dot(*place(np.array(verdict.best.shares)), "best", f"recommended: {verdict.best.label}"))
    corners = (
        (left + side / 2, top - 10, "middle"),
        (left, top + height + 18, "middle"),
        (left + side, top + height + 18, "middle"),
    )
    for (x, y, anchor), name in zip(corners, search.abilities, strict=True):
        parts.append(f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">only {escape(name)}</text>')
    return svg(left + side + 170, top + height + 30, [*parts, _legend(left + side + 30, top, low, high)])


def _cell(a: int, b: int, up: bool) -> Array:
    """Returns the corners [3, 3] of a cell as shares."""
    steps = ((0, 0), (1, 0), (0, 1)) if up else ((1, 0), (0, 1), (1, 1))
    return np.array([[a + i, b + j, CELLS - a - b - i - j] for i, j in steps]) / CELLS


def _legend(x: float, y: float, low: float, high: float) -> str:
    steps = 20
    parts = [
        f'<rect x="{x}" y="{y + 8 * n}" width="16" height="8.5" fill="{_colour(n / (steps - 1))}"/>'
        for n in range(steps)
    ]
    said = ((10, f"{low:.3g} best"), (8 * steps, f"{high:.3g} and worse"))
    parts += [f'<text x="{x + 22}" y="{y + offset}">{text}</text>' for offset, text in said]
    return "".join(parts)


def _colour(part: float) -> str:
    at = min(max(part, 0.0), 1.0) * (len(COLOURS) - 1)
    low = min(int(at), len(COLOURS) - 2)
    pair = zip(COLOURS[low], COLOURS[low + 1], strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (at - low)):02x}" for a, b in pair)


def _side_by_side(parts: list[str]) -> str:
    return f'<div class="plots">{"".join(parts)}</div>'
