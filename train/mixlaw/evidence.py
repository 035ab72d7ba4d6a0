"""What speaks for each surrogate: errors on mixes left out, at random and by blocks, and whether there is any signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.optimize import nnls
from scipy.stats import rankdata

from train.mixlaw.folds import Folds
from train.mixlaw.models import fit_surrogate
from train.mixlaw.surrogate import Array, Surrogate

SHUFFLES = 999
LEVEL = 0.01
"""Losses have signal when at most this share of shuffles is predicted as well as they are."""
HOPELESS = 2.5
"""A surrogate whose error at random folds is this many times the best one's is not asked about blocks, nor used."""
PULL = 0.1
"""Strength of the pull of stacking weights to equal ones, in units of the best surrogate's squared error."""
SMALLEST_WEIGHT = 0.02
SIGNIFICANT = 2.0
"""Standard errors by which a candidate must be worse than the best to be out."""


class LeftOut(NamedTuple):
    """Predictions `mean` and `std` [n] of each run by a surrogate that has not seen its mix (std includes noise)."""

    mean: Array
    std: Array


class Evidence(BaseModel):
    """One surrogate's line of the table, errors relative to those of predicting the mean (1.0 = no better)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    error: float
    rank: float
    block_error: float | None
    weight: float


@dataclass(frozen=True)
class Trial:
    """A surrogate fitted to all runs, with its predictions of left-out mixes; `blocks` where it was asked."""

    name: str
    fitted: Surrogate
    random: LeftOut
    blocks: LeftOut | None


def try_surrogates(
    names: Sequence[str], mixtures: Array, losses: Array, floor: float, random: Folds, blocks: Folds
) -> list[Trial]:
    """Fits each surrogate to all runs and to the runs outside each fold; losses [n] are standardized."""
    fitted = {name: fit_surrogate(name, mixtures, losses, floor) for name in names}
    at_random = {name: leave_out(name, mixtures, losses, floor, random, fitted[name]) for name in names}
    errors = {name: _error(at_random[name], losses) for name in names}
    trials = []
    for name in names:
        asked = blocks and errors[name] <= HOPELESS * min(errors.values())
        by_blocks = leave_out(name, mixtures, losses, floor, blocks, fitted[name]) if asked else None
        trials.append(Trial(name, fitted[name], at_random[name], by_blocks))
    return trials


def leave_out(name: str, mixtures: Array, losses: Array, floor: float, folds: Folds, like: Surrogate) -> LeftOut:
    """Returns each run's prediction by a surrogate fitted without its fold."""
    mean, std = np.zeros(len(losses)), np.ones(len(losses))
    for rows in folds:
        kept = np.setdiff1d(np.arange(len(losses)), rows)
        part = fit_surrogate(name, mixtures[kept], losses[kept], floor, like)
        mean[rows], spread = part.predict(mixtures[rows])
        std[rows] = np.hypot(spread, part.noise)
    return LeftOut(mean, std)


def stack(trials: Sequence[Trial], losses: Array) -> Array:
    """Returns the weights [trials], not negative and summing to one, of least squared error on left-out mixes.

    Wolpert's stacking (1992) with Breiman's constraint (1996). Random folds and blocks count alike, and the weights of
    surrogates that are not hopeless are pulled to equal ones: estimated weights alone are noisy.
    """
    errors = np.array([_error(trial.random, losses) for trial in trials])
    usable = np.flatnonzero(errors <= HOPELESS * errors.min()).tolist()
    chosen = [trials[number] for number in usable]
    columns, wanted = [np.stack([t.random.mean for t in chosen], 1)], [losses]
    if all(trial.blocks for trial in chosen):
        columns.append(np.stack([t.blocks.mean for t in chosen if t.blocks], 1))
        wanted.append(losses)
    pull = np.sqrt(PULL * len(losses)) * errors.min()
    total = 1e3 * np.sqrt(len(losses))
    rows: list[Array] = [*columns, pull * np.eye(len(usable)), np.full((1, len(usable)), total)]
    goal: list[Array] = [*wanted, np.full(len(usable), pull / len(usable)), np.array([total])]
    found = nnls(np.concatenate(rows), np.concatenate(goal))[0]
    found[found < SMALLEST_WEIGHT * found.sum()] = 0.0
    weights = np.zeros(len(trials))
    weights[usable] = np.round(found / found.sum(), 6)
    return weights / weights.sum()


def choose(trials: Sequence[Trial], losses: Array, groups: NDArray[np.int64]) -> Array:
    """Returns the weights [trials] of the simplest candidate that the evidence does not speak against.

    Candidates are the surrogates in the order given, simplest first, and the stack of them. One is out when its squared error on
    left-out mixes, random folds and blocks together, exceeds the best one's by more than two standard errors of the paired
    difference. What a flexible surrogate gains on trials at one scale may be an accident of that scale; where it gains little,
    the simpler law is kept.
    """
    stacked = stack(trials, losses)
    blocks = any(trial.blocks for trial in trials)
    candidates = [w for w, trial in zip(np.eye(len(trials)), trials, strict=True) if trial.blocks or not blocks]
    candidates.append(stacked)
    errors = np.stack([_squares(trials, weights, losses, groups) for weights in candidates])
    excess = errors - errors[np.argmin(errors.mean(1))]
    margin = excess.std(1) / np.sqrt(errors.shape[1])
    return candidates[int(np.flatnonzero(excess.mean(1) <= SIGNIFICANT * margin)[0])]


def _squares(trials: Sequence[Trial], weights: Array, losses: Array, groups: NDArray[np.int64]) -> Array:
    """Returns the squared error of weighted predictions of each left-out mix, [mixes]."""
    used = [(weight, trial) for weight, trial in zip(weights, trials, strict=True) if weight > 0]
    squares = (sum(weight * trial.random.mean for weight, trial in used) - losses) ** 2
    if all(trial.blocks for _, trial in used):
        squares = squares + (sum(weight * trial.blocks.mean for weight, trial in used if trial.blocks) - losses) ** 2
    return np.asarray(np.bincount(groups, squares) / np.bincount(groups))


def combine(predictions: Sequence[tuple[Array, Array]], weights: Array) -> tuple[Array, Array]:
    """Returns mean and deviation [m] of a weighted mix of predictions: their own spread and their disagreement."""
    means, spreads = np.stack([p[0] for p in predictions]), np.stack([p[1] for p in predictions])
    mean = weights @ means
    return mean, np.sqrt(weights @ (spreads**2 + (means - mean) ** 2))


def signal(trials: Sequence[Trial], losses: Array, groups: NDArray[np.int64], seed: int) -> float:
    """Returns the share of shuffles under which some surrogate's left-out predictions fit as well as they really do.

    The statistic is the best correlation over the surrogates, so that trying several is paid for. Losses are averaged over the runs
    of a mix first: seeds of one mix are no independent witnesses.
    """
    count = np.bincount(groups)
    means = np.stack([np.bincount(groups, trial.random.mean) / count for trial in trials])
    truth = np.bincount(groups, losses) / count
    random = np.random.default_rng(seed)
    shuffled = np.stack([truth, *(random.permutation(truth) for _ in range(SHUFFLES))])
    best = np.max(_standard(means) @ _standard(shuffled).T, axis=0)
    return float(np.mean(best >= best[0] - 1e-12))


def table(trials: Sequence[Trial], losses: Array, weights: Array) -> list[Evidence]:
    """Returns the table of evidence, one line a surrogate."""
    return [
        Evidence(
            name=trial.name,
            error=_digits(_error(trial.random, losses)),
            rank=_digits(float(_standard(rankdata(trial.random.mean)) @ _standard(rankdata(losses)))),
            block_error=_digits(_error(trial.blocks, losses)) if trial.blocks else None,
            weight=float(weight),
        )
        for trial, weight in zip(trials, weights, strict=True)
    ]


def _error(left_out: LeftOut, losses: Array) -> float:
    return float(np.sqrt(np.mean((left_out.mean - losses) ** 2) / max(float(np.var(losses)), 1e-12)))


def _standard(values: Array) -> Array:
    centred = values - np.mean(values, axis=-1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-12))


def _digits(value: float) -> float:
    return float(f"{value:.6g}")
