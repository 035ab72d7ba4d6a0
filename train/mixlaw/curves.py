"""Parametric laws as surrogates: the fitted parameters and the Gaussian around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.mixlaw import dmo, loglinear, power
from train.mixlaw.least import fit_curve
from train.mixlaw.surrogate import Array, State, numbers

LAWS = {"loglinear": loglinear, "power": power, "dmo": dmo}


@dataclass(frozen=True)
class ParametricLaw:
    """A law by name, its parameters `theta` [p], a `root` [p, p] of their covariance, and the noise of a run."""

    name: str
    theta: Array
    root: Array
    noise: float

    def predict(self, mixtures: Array) -> tuple[Array, Array]:
        """Returns the curve and its deviation from the law linearized around its parameters; both [m]."""
        values, slopes = LAWS[self.name].curve(self.theta, mixtures)
        return values, np.sqrt(np.sum((slopes @ self.root) ** 2, axis=1))

    def draw(self, mixtures: Array, count: int, random: np.random.Generator) -> Array:
        """Returns joint draws [count, m] of the linearized law."""
        values, slopes = LAWS[self.name].curve(self.theta, mixtures)
        return values + random.standard_normal((count, len(self.theta))) @ (slopes @ self.root).T

    def state(self) -> State:
        """Returns name, parameters, root and noise."""
        return {"theta": numbers(self.theta), "root": numbers(self.root), "noise": self.noise}


def fit_law(name: str, mixtures: Array, losses: Array, floor: float, like: ParametricLaw | None) -> ParametricLaw:
    """Fits a law to mixtures [n, d] and standardized losses [n], from its own starts or from an earlier fit `like`."""
    law = LAWS[name]
    starts = [like.theta] if like else law.starts(mixtures, losses)
    mode = fit_curve(law.curve, law.prior(mixtures.shape[1]), starts, mixtures, losses, floor)
    return ParametricLaw(name, mode.theta, mode.root, mode.noise)


def load_law(name: str, state: State) -> ParametricLaw:
    """Rebuilds a law from its state."""
    return ParametricLaw(name, np.array(state["theta"]), np.array(state["root"]), float(state["noise"]))
