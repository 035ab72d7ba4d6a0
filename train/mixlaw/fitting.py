"""Fits the law of an experiment: tries surrogates on left-out mixes, chooses or combines them, calibrates intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, cast, get_args

import numpy as np
from scipy.stats import norm

from curate.errors import TrainError, did_you_mean
from curate.executors import Executor
from curate.executors.serial import SerialExecutor
from train.mixlaw.evidence import LEVEL, Trial, choose, combine, signal, stack, table, try_surrogates
from train.mixlaw.folds import block_folds, group_mixes, random_folds
from train.mixlaw.law import COVERED, Law, LawFile, Member, Target, load
from train.mixlaw.models import Name, has_trees
from train.mixlaw.ridge import flat
from train.mixlaw.space import space_of
from train.mixlaw.surrogate import Array, numbers

Model = Literal["auto", "ridge", "loglinear", "dmo", "power", "gp", "lightgbm"]
FEWEST_MIXES = 5
FEWEST_FOR_TREES = 100


def fit(
    mixtures: Array,
    losses: Array,
    noise: Array | None = None,
    model: Model = "auto",
    seed: int = 0,
    domains: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    executor: Executor | None = None,
) -> Law:
    """Fits a law to runs: mixtures [n, d] as shares or amounts, losses [n, t] with nan where a run has none.

    Targets are fitted apart, on the executor's workers where one is given.

    `noise` [t] is the deviation between runs of one mix where it is known, else it is estimated.

    Raises:
        TrainError: shapes do not match, a mixture is no mixture, or a target has under five different mixes.
    """
    if model not in get_args(Model):
        raise TrainError(f"unknown model {model!r}{did_you_mean(model, get_args(Model))}")
    mixtures, losses = np.asarray(mixtures, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if losses.ndim != 2 or len(losses) != len(mixtures) or not losses.size:
        raise TrainError(f"losses have shape {losses.shape}; one row for each of {len(mixtures)} mixtures is needed")
    names = tuple(domains or (f"domain{n}" for n in range(mixtures.shape[1])))
    space = space_of(mixtures, names)
    scaled = np.array(numbers(space.scale(mixtures)))
    losses = np.where(np.isfinite(losses), losses, np.nan)
    known = np.zeros(losses.shape[1]) if noise is None else np.asarray(noise, dtype=np.float64)
    labels = targets or [f"target{n}" for n in range(losses.shape[1])]
    work = partial(_fit_column, scaled, losses, known, tuple(labels), model, seed, space.unit is not None)
    fitted = dict((executor or SerialExecutor()).map(work, range(len(labels))))
    return load(
        LawFile(
            domains=names,
            unit=space.unit,
            mixtures=scaled.tolist(),
            losses=[[None if np.isnan(v) else v for v in row] for row in losses.tolist()],
            targets=tuple(fitted[n] for n in range(len(labels))),
        )
    )


def _fit_column(
    mixtures: Array,
    losses: Array,
    noise: Array,
    labels: tuple[str, ...],
    model: Model,
    seed: int,
    amounts: bool,
    number: int,
) -> Target:
    return fit_target(labels[number], mixtures, losses[:, number], float(noise[number]), model, seed, amounts)


def fit_target(
    label: str, mixtures: Array, losses: Array, noise: float, model: Model, seed: int, amounts: bool
) -> Target:
    """Fits one target [n] (nan: no value) on scaled mixtures [n, d].

    Raises:
        TrainError: under five different mixes have a value.
    """
    rows = np.flatnonzero(np.isfinite(losses))
    mixtures, losses = mixtures[rows], losses[rows]
    groups = group_mixes(mixtures) if len(rows) else rows
    different = len(np.unique(groups))
    if different < FEWEST_MIXES:
        raise TrainError(
            f"target {label}: {different} different mixtures with a loss; at least {FEWEST_MIXES} are needed"
        )
    facts: dict[str, Any] = {"name": label, "centre": float(losses.mean()), "rows": tuple(rows.tolist())}
    spread = float(losses.std())
    if spread <= 1e-12 * max(abs(facts["centre"]), 1e-300):
        return Target(**facts, spread=1.0, members=_mean(mixtures, 0.0), inflation=1.0, p_value=1.0, evidence=())
    standard = (losses - facts["centre"]) / spread
    names = _names(model, different, amounts)
    folds = random_folds(groups, seed), block_folds(mixtures, groups)
    trials = [_spread(t, standard) for t in try_surrogates(names, mixtures, standard, noise / spread, *folds)]
    weights = choose(trials, standard, groups)
    p_value = signal(trials, standard, groups, seed)
    evidence = tuple(table(trials, standard, weights))
    if p_value > LEVEL:
        members, inflation = _mean(mixtures, float(np.sqrt(len(rows) / (len(rows) - 1)))), 1.0
    else:
        members, inflation = _members(trials, weights, stack(trials, standard)), calibrate(trials, weights, standard)
    return Target(**facts, spread=spread, members=members, inflation=inflation, p_value=p_value, evidence=evidence)


def _names(model: Model, different: int, amounts: bool) -> list[str]:
    """Returns the surrogates to try, simplest first."""
    if model != "auto":
        return [model]
    names = ["ridge", "loglinear", *(["dmo"] if amounts else []), "power", "gp"]
    return [*names, "lightgbm"] if different >= FEWEST_FOR_TREES and has_trees() else names


def _spread(trial: Trial, losses: Array) -> Trial:
    """Gives trees the deviation they had on left-out mixes; other surrogates know their own."""
    if trial.name != "lightgbm":
        return trial
    error = float(f"{np.sqrt(np.mean((trial.random.mean - losses) ** 2)):.12g}")
    spread = np.full(len(losses), error)
    return replace(trial, fitted=cast("Any", trial.fitted).with_spread(error), random=trial.random._replace(std=spread))


def _members(trials: Sequence[Trial], weights: Array, stacked: Array) -> tuple[Member, ...]:
    """Returns what predicts (its weights) and what is drawn from: the stack, as the evidence seldom excludes others."""
    return tuple(
        Member(name=cast("Name", t.name), weight=float(weight), drawn=float(drawn), state=t.fitted.state())
        for t, weight, drawn in zip(trials, weights, stacked, strict=True)
        if weight > 0 or drawn > 0
    )


def _mean(mixtures: Array, noise: float) -> tuple[Member, ...]:
    return (Member(name="ridge", weight=1.0, drawn=1.0, state=flat(mixtures.shape[1], noise, len(mixtures)).state()),)


def calibrate(trials: Sequence[Trial], weights: Array, losses: Array) -> float:
    """Returns the factor on deviations at which 90 % intervals cover that share of left-out runs (split conformal)."""
    used = [number for number, weight in enumerate(weights) if weight > 0]
    mean, std = combine([(trials[n].random.mean, trials[n].random.std) for n in used], weights[used])
    sizes = np.sort(np.abs(losses - mean) / np.maximum(std, 1e-12))
    place = min(int(np.ceil(COVERED * (len(sizes) + 1))), len(sizes)) - 1
    return float(f"{sizes[place] / norm.ppf(0.5 + COVERED / 2):.6g}")
