"""grid.html: the search in one page that needs no network; everything that comes from data is escaped."""

from __future__ import annotations

from html import escape

import polars as pl

from train.grid.figures import ladders, predicted_name, standings, surface, trade_offs
from train.grid.search import Search
from train.grid.tables import runs_table, signal_table, table
from train.grid.verdict import Candidate, Verdict
from train.mixlaw.analysis import LEVEL

STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans","Noto Sans CJK SC",sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;
color:#222;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2.2rem 0 .4rem}p{margin:.4rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #e3e3e3;white-space:nowrap}
th{color:#555;font-weight:600}td:first-child,th:first-child{text-align:left;padding-left:0}
.plots{display:flex;flex-wrap:wrap;gap:1rem}svg{max-width:100%;height:auto}
.box{background:#eef6f0;border-left:4px solid #1b9e3e;padding:.6rem 1rem;margin:1rem 0}
.warn{background:#fff3d6;border-left-color:#d99b00}.note{color:#666;font-size:.9rem}
svg text{font:11px system-ui,"Noto Sans","Noto Sans CJK SC",sans-serif;fill:#444}svg .name{fill:#222}
.key span{margin-right:1.2rem}.key i{display:inline-block;width:.6rem;height:.6rem;border-radius:50%;margin-right:.35rem}
"""
KEY = (
    '<p class="key note"><span><i style="background:#2a6f97"></i>a mix that was run</span><span><i style="border:2px solid '
    '#c8553d;width:.4rem;height:.4rem"></i>a baseline</span><span><i style="background:#1b9e3e"></i>recommended, or as the '
    "law predicts it</span></p>"
)
KINDS = {
    "weighted": "the weighted mean of the relative changes of all losses against the untrained model",
    "worst": "the largest relative change of a loss against the untrained model",
    "constrained": "the weighted mean of the relative changes of losses, with a penalty above the limits",
}


def html(search: Search, verdict: Verdict, rows: pl.DataFrame) -> str:
    """Returns the report as one HTML page."""
    title = f"Which mixture of {', '.join(search.abilities)}?"
    triangle = surface(search, verdict) if verdict.has_signal else ""
    parts = [
        f"<h1>{escape(title)}</h1>",
        _setting(search),
        _summary(search, verdict),
        "<h2>Against the baselines</h2>",
        f"<p>Bars of runs are one deviation between runs of one mix (the noise floor, {search.config.noise_seeds} runs of "
        f"<i>equal</i>); that of the {predicted_name(verdict)} is a 90 % interval.</p>",
        standings(search, verdict),
        _rivals(verdict),
        "<h2>What more runs would buy</h2>",
        _cost(search, verdict, rows),
        f"<h2>Mixtures indistinguishable from the best</h2>{_tied(verdict)}" if verdict.has_signal else "",
        f"<h2>Predicted objective of every mixture</h2>{KEY}{triangle}" if triangle else "",
        "<h2>Loss of each ability by its own part</h2>",
        f"{KEY}<p>Bars are the noise floor. The line is the law, with its 90 % band, where only this part of the recommended "
        "mixture changes; runs beside it have other proportions of the rest.</p>",
        ladders(search, verdict),
        "<h2>What one ability costs another</h2>",
        f"{KEY}<p>Of mixes on the dashed line, none is better at both.</p>",
        trade_offs(search, verdict),
        "<h2>Is there anything to learn from?</h2>",
        signal_table(search, verdict),
        "<h2>Every mix that was run</h2>",
        runs_table(search, rows),
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return head + "\n".join(parts) + "</html>\n"


def _setting(search: Search) -> str:
    config = search.config
    each = f"{config.budget:,} trained tokens a run" if config.budget else "totals that follow from the amounts"
    steps = f", {config.train.max_steps} steps" if config.train.max_steps else ""
    return (
        f'<p class="note">{escape(config.train.model)} ({config.train.method}), {each}{steps}, recipe {escape(config.recipe)}, '
        f"strategy {config.strategy.name} over levels {escape(', '.join(map(str, search.space.levels)))} read as "
        f"{search.space.reading}.<br>Objective: {KINDS[config.objective.kind]}{_looked_at(search)}; lower is better.</p>"
    )


def _looked_at(search: Search) -> str:
    """Returns which losses count where there are tests, as not all of them do."""
    names = search.objective.looks_at(search.abilities, search.tests) if search.tests else ()
    return f"; it looks at {escape(', '.join(names))}" if names else ""


def _summary(search: Search, verdict: Verdict) -> str:
    if verdict.has_signal:
        said = (
            f'<div class="box">Recommended: <b>{escape(verdict.best.label)}</b>, predicted objective {verdict.best.value:.4f} '
            f"± {verdict.best.std:.4f}, expected regret {verdict.regret:.2g}. Of the {verdict.judged:,} mixtures of the space "
            f"{verdict.tied_count:,} are as good as far as the runs tell; this is the one of them nearest to proportional that no other clearly beats.</div>"
        )
    else:
        said = (
            '<div class="box warn"><b>No signal.</b> The losses do not follow from the mixture beyond noise: any mixture is as '
            f"good, as far as these runs tell. Nearest to proportional: {escape(verdict.best.label)}.</div>"
        )
    silent = [name for name, found in verdict.signal.items() if not found]
    if verdict.has_signal and silent:
        said += f'<div class="box warn">The mixture explains nothing of the loss of {escape(", ".join(silent))}.</div>'
    if not verdict.has_signal:
        return said
    if better := [rival.name for rival in verdict.rivals if rival.beaten is not None and rival.beaten <= LEVEL]:
        said += (
            f'<div class="box warn">By its own run {escape(", ".join(better))} is better than this. The law is coarse, or the '
            "levels are: run more trials, or use that baseline.</div>"
        )
    unit = "share" if search.space.reading == "share" else "trained tokens"
    cells = zip(search.abilities, verdict.best.shares, verdict.low, verdict.high, strict=True)
    lines = [[name, _number(share), f"{_number(low)} to {_number(high)}"] for name, share, low, high in cells]
    return said + table(["ability", unit, "the best lies in (90 %)"], lines)


def _rivals(verdict: Verdict) -> str:
    def chance(beaten: float | None) -> str:
        return "?" if not verdict.has_signal else "the same mix" if beaten is None else f"{beaten:.0%}"

    lines = [[rival.name, f"{rival.value:.4f}", chance(rival.beaten)] for rival in verdict.rivals]
    return table(["baseline", "measured objective", "chance that the recommended mix is better"], lines)


def _cost(search: Search, verdict: Verdict, rows: pl.DataFrame) -> str:
    trials = rows.unique("key")
    seconds, tokens = float(trials["seconds"].sum()), int(trials["trial_tokens"].sum())
    so_far = f"<p>So far: {search.trials} runs, {tokens:,} tokens read, {_time(seconds)}.</p>"
    if not verdict.more:
        return so_far + "<p>Nothing tells which run would help: without a signal, train longer or on more data.</p>"
    gain = sum(value for _, value in verdict.more)
    after = f"{verdict.regret:.2g} to {max(verdict.regret - gain, 0):.2g}"
    return (
        f"{so_far}<p>Three more, about {_time(3 * seconds / max(1, search.trials))}, are expected to lower regret from "
        f"{after}:</p>"
        + table(["mixture", "regret it removes"], [[label, f"{value:.2g}"] for label, value in verdict.more])
    )


def _tied(verdict: Verdict) -> str:
    def row(one: Candidate) -> list[str]:
        return [one.label, f"{one.value:.4f}", f"{one.std:.4f}", f"{one.p_best:.3f}"]

    more = verdict.tied_count - len(verdict.tied)
    head = ["mixture", "predicted objective", "deviation", "P(best)"]
    rest = f'<p class="note">and {more:,} more</p>' if more else ""
    return table(head, [row(one) for one in verdict.tied]) + rest


def _number(value: float) -> str:
    return f"{value:.3f}" if value <= 1 else f"{value:,.0f}"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
