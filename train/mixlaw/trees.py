"""Boosted trees, RegMix's surrogate (Liu et al., 2407.01492, section 3): LightGBM on shares, for a hundred runs or more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import lightgbm
import numpy as np

from train.mixlaw.surrogate import Array, State

SETTINGS = {
    "objective": "regression",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.8,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
TREES = 400
"""RegMix takes 1000 trees at rate 0.01 and stops early on its test set; nothing is stopped on here."""


@dataclass(frozen=True)
class Trees:
    """The model in LightGBM's text form; `spread` is its error on runs left out, as trees know no deviation."""

    text: str
    spread: float

    @property
    def noise(self) -> float:
        """Deviation of a run from the curve: not told apart from the error of the curve, hence 0."""
        return 0.0

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=self.text)

    def predict(self, mixtures: Array) -> tuple[Array, Array]:
        """Returns the prediction and its deviation, the same everywhere; both [m]."""
        values = np.asarray(self._booster.predict(mixtures, num_threads=1), dtype=np.float64)
        return values, np.full(len(mixtures), self.spread)

    def draw(self, mixtures: Array, count: int, random: np.random.Generator) -> Array:
        """Returns draws [count, m] with independent errors."""
        values, spread = self.predict(mixtures)
        return values + spread * random.standard_normal((count, len(values)))

    def with_spread(self, spread: float) -> Trees:
        """Returns the same trees with another deviation."""
        return replace(self, spread=spread)

    def state(self) -> State:
        """Returns the text model and the deviation."""
        return {"text": self.text, "spread": self.spread}


def fit_trees(mixtures: Array, losses: Array) -> Trees:
    """Fits trees to mixtures [n, d] and standardized losses [n]; the deviation is set from cross-validation later."""
    data = lightgbm.Dataset(mixtures, losses, params={"verbosity": -1, "min_data_in_bin": 1})
    booster = lightgbm.train(SETTINGS, data, num_boost_round=TREES)
    residuals = losses - np.asarray(booster.predict(mixtures, num_threads=1))
    return Trees(booster.model_to_string(), float(np.std(residuals)))


def load_trees(state: State) -> Trees:
    """Rebuilds trees from their state."""
    return Trees(str(state["text"]), float(state["spread"]))
