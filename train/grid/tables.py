"""Tables of a report: whether there is anything to learn from, and every mix that was run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

import numpy as np
import polars as pl

from train.grid.baselines import BASE
from train.grid.search import Search
from train.grid.verdict import Verdict
from train.mixlaw.evidence import Evidence


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Returns a table as HTML; what stands in it is escaped."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def signal_table(search: Search, verdict: Verdict) -> str:
    """Returns a line a target: how far its losses spread against the noise, and which law predicts left-out mixes."""
    lines = []
    observed = np.array([f.losses for f in search.lessons])
    for place, target in enumerate(verdict.law.targets):
        spread = float(np.nanmax(observed[:, place]) - np.nanmin(observed[:, place]))
        noise = float(search.noise[place])
        used = [e for e in target.evidence if e.weight > 0] if target.has_signal else []
        ratio = f"{spread / noise:,.0f}" if noise else "no noise"
        law = " + ".join(_weighed(e, len(used)) for e in used) or "none: the mean is predicted"
        error = min((e.error for e in used), default=1.0)
        cells = [target.name, f"{noise:.4f}", f"{spread:.4f}", ratio, law, f"{error:.2f}", f"{target.p_value:.3f}"]
        lines.append(cells)
    head = [
        "ability or test" if search.tests else "ability",
        "noise floor",
        "range of losses",
        "range / noise",
        "law",
        "error on left-out mixes",
        "p of no signal",
    ]
    return table(head, lines) + (
        '<p class="note">The error is relative to predicting the mean: 1 is no better than that. p is the share of shuffles '
        "of the losses that are predicted as well as the losses themselves.</p>"
    )


def _weighed(evidence: Evidence, count: int) -> str:
    return evidence.name if count == 1 else f"{evidence.weight:.2f} {evidence.name}"


def runs_table(search: Search, rows: pl.DataFrame) -> str:
    """Returns a line a mix, the base first and the others by their objective; `rows` are the trials of the search."""
    facts = {
        key: (loops, steps)
        for key, loops, steps in rows.group_by("key", maintain_order=True)
        .agg(pl.col("repetition").mean(), pl.col("steps").first())
        .iter_rows()
    }
    lines, any_short = [], False
    for name, keys in search.names.items():
        losses = search.results.losses(keys).mean(axis=0)
        loops = float(np.mean([facts[key][0] for key in keys]))
        short = name != BASE and search.results.is_short(keys)
        any_short = any_short or short
        cells = [name + (" *" if short else ""), str(len(keys)), f"{search.results.trained(keys):,.0f}"]
        cells += [str(facts[keys[0]][1]), f"{float(search.value(losses)):.4f}"]
        cells += _measured(search, keys, losses.tolist())
        lines.append([*cells, "" if np.isnan(loops) else f"{loops:.2f}"])
    lines[1:] = sorted(lines[1:], key=lambda cells: float(cells[4]))
    tested = [f"{name} (right)" for name in search.tests]
    head = ["mix", "runs", "trained tokens", "steps", "objective", *search.abilities, *tested, "repetition"]
    note = "Losses are means over trained tokens of held-out rows; repetition is the share of 4-grams of greedy answers that stood there before."
    short_note = " * had too little data for the budget, and teaches the law nothing." if any_short else ""
    return table(head, lines) + f'<p class="note">{note}{short_note}</p>{"".join(_chances(search))}'


def _measured(search: Search, keys: Sequence[str], losses: Sequence[float]) -> Iterator[str]:
    """Yields the loss of each ability, then the choice loss of each test with its accuracy."""
    for name, loss in zip(search.targets, losses, strict=True):
        right = f" ({search.results.accuracy(keys, name):.0%})" if name in search.tests else ""
        yield f"{loss:.4f}{right}"


def _chances(search: Search) -> Iterator[str]:
    """Yields for each test what its numbers are, and what they would be by chance."""
    for name, test in search.shop.tests.items():
        chance = test.chance
        error = (chance.accuracy * (1 - chance.accuracy) / chance.questions) ** 0.5
        yield (
            f'<p class="note">{escape(name)}: the mean negative log-probability of the right option of {chance.questions:,} '
            f"questions, and in brackets how many of them are answered right. By chance they are {chance.loss:.4f} and "
            f"{chance.accuracy:.0%} ± {error:.0%}.</p>"
        )
