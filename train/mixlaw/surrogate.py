"""What every surrogate can do once fitted: predict, draw plausible curves, and be written as plain JSON."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
State = dict[str, Any]


class Surrogate(Protocol):
    """A fitted curve from mixtures [m, d] to one standardized loss."""

    @property
    def noise(self) -> float:
        """Deviation of a run from the curve."""

    def predict(self, mixtures: Array) -> tuple[Array, Array]:
        """Returns the curve and its standard deviation, without the noise of a run; both [m]."""

    def draw(self, mixtures: Array, count: int, random: np.random.Generator) -> Array:
        """Returns joint draws of the curve at the mixtures, [count, m]."""

    def state(self) -> State:
        """Returns what the surrogate is rebuilt from, as plain JSON values."""


def numbers(values: Array) -> Any:
    """Returns an array as nested lists of floats with twelve significant digits."""
    flat = [float(f"{value:.12g}") for value in np.ravel(values)]
    return np.reshape(np.array(flat), np.shape(values)).tolist()
