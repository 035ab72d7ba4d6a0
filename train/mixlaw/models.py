"""The table of surrogates: how each is fitted by name, and rebuilt from JSON."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Literal, cast

from curate.errors import TrainError
from train.mixlaw.curves import ParametricLaw, fit_law, load_law
from train.mixlaw.gp import GaussianProcess, fit_gp, load_gp
from train.mixlaw.ridge import fit_ridge, load_ridge
from train.mixlaw.surrogate import Array, State, Surrogate

Name = Literal["ridge", "loglinear", "power", "gp", "lightgbm", "dmo"]
RETUNED_UP_TO = 128
"""With more runs a fold keeps the lengths tuned on all of them: 20 numbers from hundreds of runs leak nothing seen."""


def fit_surrogate(
    name: str, mixtures: Array, losses: Array, floor: float = 0.0, like: Surrogate | None = None
) -> Surrogate:
    """Fits a surrogate by name to mixtures [n, d] and standardized losses [n], from the start of an earlier fit `like`.

    Raises:
        TrainError: for lightgbm where the library is missing.
    """
    if name == "ridge":
        return fit_ridge(mixtures, losses, floor)
    if name == "gp":
        tuned = cast("GaussianProcess | None", like)
        return fit_gp(mixtures, losses, floor, tuned, tune=len(losses) <= RETUNED_UP_TO)
    if name == "lightgbm":
        return _trees().fit_trees(mixtures, losses)
    return fit_law(name, mixtures, losses, floor, cast("ParametricLaw | None", like))


def load_surrogate(name: str, state: State, mixtures: Array, losses: Array) -> Surrogate:
    """Rebuilds a surrogate from its state and the runs it was fitted to."""
    if name == "ridge":
        return load_ridge(state)
    if name == "gp":
        return load_gp(state, mixtures, losses)
    if name == "lightgbm":
        return _trees().load_trees(state)
    return load_law(name, state)


def has_trees() -> bool:
    """Tells whether LightGBM is installed."""
    return importlib.util.find_spec("lightgbm") is not None


def _trees() -> Any:
    if not has_trees():
        raise TrainError("lightgbm is not installed; install it with: pip install 'curate-train[mixlaw]'")
    return importlib.import_module("train.mixlaw.trees")
