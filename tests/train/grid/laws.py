"""Synthetic laws: losses of three abilities as known functions of their shares, and noisy runs of them without training.

Each seed draws another law from its family, so that a hundred searches have a hundred true optima.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Curve = Callable[[Array], Array]
"""Losses [m, 3] at full length, without noise, of shares [m, 3]."""

ABILITIES = ("code", "math", "service")
BASE = np.array([3.4, 2.9, 3.8])
"""Losses of the untrained model."""
OTHERS = ~np.eye(3, dtype=bool)


@dataclass(frozen=True)
class PlantedLaw:
    """A true law, the deviation of a run from it, and what the abilities count for."""

    curve: Curve
    noise: float
    weights: tuple[float, ...]

    def losses(self, shares: Array, rung: float = 1.0) -> Array:
        """Returns the true losses [m, 3]; a shorter run stands higher, the more so where it stands high anyway."""
        full = self.curve(shares)
        return np.asarray(full + 0.25 * (rung**-0.3 - 1) * (0.5 + 0.5 * full / BASE))

    def run(self, share: Array, seed: int, rung: float = 1.0) -> Array:
        """Returns the losses [3] one run of a mixture [3] measures; its noise is keyed by seed and mixture."""
        key = [seed, round(1e6 * rung), *np.round(share * 1e6).astype(np.int64).tolist()]
        error = np.random.default_rng(key).standard_normal(3)
        return np.asarray(self.losses(share[None], rung)[0] + self.noise * error)


def _falls(random: np.random.Generator) -> Curve:
    """Returns powers of what each target is given, [m, 3], from 1 at nothing to 0 at all; some need little, some much."""
    half, decay = np.exp(random.uniform(np.log(0.005), np.log(0.3), 3)), random.uniform(0.3, 0.8, 3)
    least, most = (1 + half) ** -decay, half**-decay
    return lambda given: ((given + half) ** -decay - least) / (most - least)


def separable(random: np.random.Generator) -> Curve:
    """Each ability by its own share alone: power laws that saturate at different shares."""
    floors, heights, falls = random.uniform(1.0, 2.0, 3), random.uniform(0.2, 1.2, 3), _falls(random)
    return lambda shares: floors + heights * falls(shares)


def loglinear(random: np.random.Generator) -> Curve:
    """The log-linear mixing law: each ability lowers its own loss, and raises or lowers those of others."""
    floors, heights = random.uniform(1.0, 1.6, 3), np.exp(random.uniform(np.log(0.2), np.log(1.2), 3))
    slopes = np.where(OTHERS, random.normal(0.0, 0.6, (3, 3)), -random.uniform(2.0, 6.0, (3, 3)))
    return lambda shares: np.asarray(floors + heights * np.exp(shares @ slopes.T))


def interference(random: np.random.Generator) -> Curve:
    """A power law of what each ability is worth to the others, plus harm by the square of another ability's share."""
    worth = np.where(OTHERS, random.uniform(0.0, 0.25, (3, 3)), 1.0)
    harm = np.where(OTHERS, random.uniform(0.0, 0.35, (3, 3)) * random.integers(0, 2, (3, 3)), 0.0)
    floors, heights, falls = random.uniform(1.0, 1.6, 3), random.uniform(0.2, 1.2, 3), _falls(random)
    return lambda shares: floors + heights * falls((np.sqrt(shares) @ worth.T) ** 2) + shares**2 @ harm.T


def flat(random: np.random.Generator) -> Curve:
    """Losses that do not follow from the mixture at all."""
    floors = random.uniform(1.0, 2.0, 3)
    return lambda shares: np.broadcast_to(floors, shares.shape)


FAMILIES = {"separable": separable, "loglinear": loglinear, "interference": interference, "flat": flat}


def planted(family: str, noise: float, seed: int) -> PlantedLaw:
    """Returns the law of a family that a seed draws."""
    random = np.random.default_rng([seed, 77])
    curve = FAMILIES[family](random)
    return PlantedLaw(curve, noise, tuple(np.exp(random.normal(0.0, 1.0, 3)).tolist()))
