"""Experiments whose truth is known: losses from a law that is none of the surrogates', cheap enough for a hundred seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NOISE = 0.01
CROSS = np.array([[1.0, 0.1, 0.05], [0.05, 1.0, 0.2], [0.1, 0.02, 1.0]])
"""What a share of each ability (columns) is worth for each target (rows)."""
HEIGHT, DECAY, FLOOR = np.array([1.0, 0.8, 0.6]), np.array([0.35, 0.5, 0.25]), np.array([1.5, 1.0, 2.0])


def truth(mixtures: Array) -> Array:
    """Returns the noiseless losses [n, 3]: saturating exponentials and powers, another for each target."""
    worth = mixtures @ CROSS.T
    return FLOOR + HEIGHT * (0.5 * (0.02 + worth) ** -DECAY + 0.5 * np.exp(-3 * worth))


def mixes(count: int, seed: int, domains: int = 3) -> Array:
    """Returns random shares [count, domains], some of them zero."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(domains, 0.7), count)
    shares[shares < 0.01] = 0.0
    return np.asarray(shares / shares.sum(1, keepdims=True))


def run(mixtures: Array, seed: int, noise: float = NOISE) -> Array:
    """Returns noisy losses [n, 3]."""
    clean = truth(mixtures)
    return np.asarray(clean + noise * np.random.default_rng([seed, 1]).standard_normal(clean.shape))


def lattice(steps: int = 20) -> Array:
    """Returns all mixes of three abilities in steps of 1 / steps."""
    first, second = (side.ravel() for side in np.meshgrid(np.arange(steps + 1), np.arange(steps + 1), indexing="ij"))
    kept = first + second <= steps
    return np.stack([first[kept], second[kept], (steps - first - second)[kept]], 1) / steps
