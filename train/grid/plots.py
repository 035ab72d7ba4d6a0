"""Plots as inline SVG: marks with error bars and titles on hover, curves with bands, axes with a few round numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WIDTH, HEIGHT, LEFT, BOTTOM, EDGE = 460, 300, 58, 44, 14
INK, GREY, RUN, BASELINE, BEST = "#222", "#8a8f98", "#2a6f97", "#c8553d", "#1b9e3e"
SHARES = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 1.0)
LETTER = 6.2
"""Pixels of a narrow letter."""

Kind = Literal["run", "baseline", "best"]
LOOKS: dict[Kind, str] = {
    "run": f'fill="{RUN}" stroke="#fff" stroke-width=".7"',
    "baseline": f'fill="#fff" stroke="{BASELINE}" stroke-width="2"',
    "best": f'fill="{BEST}" stroke="#fff"',
}


class Mark(NamedTuple):
    """A point with its name, the half length of its vertical error bar, and what it stands for."""

    x: float
    y: float
    name: str
    kind: Kind = "run"
    bar: float = 0.0


@dataclass(frozen=True)
class Curve:
    """A line [m] with the band around it."""

    x: Array
    y: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Scale:
    """From values to pixels; `root` spreads out what is near zero."""

    start: float
    factor: float
    root: bool = False

    def at(self, value: float) -> float:
        """Returns the pixel of a value."""
        return self.start + self.factor * (max(value, 0.0) ** 0.5 if self.root else value)


def scatter(
    marks: Sequence[Mark],
    x_title: str,
    y_title: str,
    front: bool = False,
    curve: Curve | None = None,
    shares: bool = False,
) -> str:
    """Returns marks as an SVG; with `front` those no other beats on both axes are joined.

    `shares` puts x on a square-root axis from 0, so that small shares stand apart.
    """
    known = [mark for mark in marks if np.isfinite(mark.x) and np.isfinite(mark.y)]
    if not known:
        return ""
    heights = [v for m in known for v in (m.y - m.bar, m.y + m.bar)]
    ys, y_ticks = linear(heights, HEIGHT - BOTTOM, EDGE)
    across = [mark.x for mark in known]
    xs, x_ticks = _roots(across) if shares else linear(across, LEFT, WIDTH - EDGE)
    parts = [_axes(xs, ys, x_ticks, y_ticks, x_title, y_title)]
    if curve is not None:
        parts.append(_curve(curve, xs, ys))
    if front:
        line = " ".join(f"{xs.at(m.x):.1f},{ys.at(m.y):.1f}" for m in front_of(known))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{GREY}" stroke-dasharray="4 3"/>')
    order = sorted(known, key=lambda m: ("run", "baseline", "best").index(m.kind))
    parts += [_mark(mark, xs.at(mark.x), ys.at(mark.y), ys) for mark in order]
    parts.append(_labels([(xs.at(m.x), ys.at(m.y), "" if m.kind == "run" else m.name) for m in reversed(order)]))
    return svg(WIDTH, HEIGHT, parts)


def svg(width: float, height: float, parts: Sequence[str]) -> str:
    """Returns an SVG element that shrinks with the page."""
    return f'<svg width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" role="img">{"".join(parts)}</svg>'


def front_of(marks: Sequence[Mark]) -> list[Mark]:
    """Returns the marks no other is below on both axes, from left to right."""
    found: list[Mark] = []
    for mark in sorted(marks, key=lambda m: (m.x, m.y)):
        if not found or mark.y < found[-1].y:
            found.append(mark)
    return found


def linear(values: Sequence[float], start: float, end: float) -> tuple[Scale, list[float]]:
    """Returns a scale over the values with some room, and round numbers in it."""
    low, high = min(values), max(values)
    room = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    low, high = low - room, high + room
    factor = (end - start) / (high - low)
    step = 10.0 ** np.floor(np.log10((high - low) / 3))
    step *= next(k for k in (1, 2, 5, 10) if (high - low) / (k * step) <= 6)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return Scale(start - factor * low, factor), [float(f"{tick:.12g}") + 0.0 for tick in ticks]


def _roots(values: Sequence[float]) -> tuple[Scale, list[float]]:
    most = max(1.0, *values)
    ticks = [*SHARES, *range(2, int(most) + 1)]
    return Scale(LEFT + 8, (WIDTH - EDGE - 8 - LEFT - 8) / most**0.5, root=True), [float(tick) for tick in ticks]


def _axes(xs: Scale, ys: Scale, x_ticks: Sequence[float], y_ticks: Sequence[float], x_title: str, y_title: str) -> str:
    floor, middle = HEIGHT - BOTTOM, (HEIGHT - BOTTOM) / 2
    parts = [f'<path d="M{LEFT} {ys.at(t):.1f}H{WIDTH - EDGE}" stroke="#eee"/>' for t in y_ticks]
    parts.append(f'<path d="M{LEFT} {EDGE}V{floor}H{WIDTH - EDGE}" fill="none" stroke="{GREY}"/>')
    parts += [f'<text x="{xs.at(t):.1f}" y="{floor + 15}" text-anchor="middle">{t:g}</text>' for t in x_ticks]
    parts += [f'<text x="{LEFT - 5}" y="{ys.at(t):.1f}" dy="4" text-anchor="end">{t:g}</text>' for t in y_ticks]
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>')
    turned = f'transform="rotate(-90 14 {middle})"'
    parts.append(f'<text x="14" y="{middle}" text-anchor="middle" {turned}>{escape(y_title)}</text>')
    return "".join(parts)


def _curve(curve: Curve, xs: Scale, ys: Scale) -> str:
    def height(value: float) -> float:
        return min(max(ys.at(value), EDGE), HEIGHT - BOTTOM)

    def points(values: Array) -> list[str]:
        return [f"{xs.at(x):.1f},{height(y):.1f}" for x, y in zip(curve.x, values, strict=True)]

    around = " ".join([*points(curve.low), *points(curve.high)[::-1]])
    band = f'<polygon points="{around}" fill="{BEST}" fill-opacity=".13"/>'
    return band + f'<polyline points="{" ".join(points(curve.y))}" fill="none" stroke="{BEST}" stroke-opacity=".8"/>'


def _mark(mark: Mark, x: float, y: float, ys: Scale) -> str:
    bar = ""
    if mark.bar:
        ends = f"{ys.at(mark.y - mark.bar):.1f}V{ys.at(mark.y + mark.bar):.1f}"
        bar = f'<path d="M{x:.1f} {ends}" stroke="{GREY}"/>'
    title = f"{mark.name}: {mark.x:.4g}, {mark.y:.4f}"
    return bar + dot(x, y, mark.kind, title)


def dot(x: float, y: float, kind: Kind, title: str) -> str:
    """Returns the circle of a mark with its title."""
    size = 6 if kind == "best" else 4
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" {LOOKS[kind]}><title>{escape(title)}</title></circle>'


def _labels(places: Sequence[tuple[float, float, str]]) -> str:
    """Returns names beside their marks, the first come first; one that would lie over a mark or name is left out."""
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y, _ in places]
    parts = []
    for x, y, name in places:
        width = width_of(name)
        for left in (x + 8, x - 8 - width):
            box = (left, y - 6, left + width, y + 6)
            free = left > LEFT and left + width < WIDTH and not any(_overlap(box, other) for other in taken)
            if name and free:
                taken.append(box)
                parts.append(f'<text x="{left:.1f}" y="{y + 4:.1f}" class="name">{escape(name)}</text>')
                break
    return "".join(parts)


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def width_of(text: str) -> float:
    """Returns about how wide a text is drawn, in pixels; Chinese characters are twice as wide as letters."""
    return LETTER * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
