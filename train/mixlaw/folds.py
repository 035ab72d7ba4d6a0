"""Which mixes are left out together: at random, and in blocks from the most even to the most concentrated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from train.mixlaw.surrogate import Array

Folds = list[NDArray[np.int64]]

SINGLY = 24
"""Up to this many different mixes, each is left out alone."""
RANDOM_FOLDS = 6
BLOCKS = 4
FEWEST_FOR_BLOCKS = 16


def group_mixes(mixtures: Array) -> NDArray[np.int64]:
    """Returns the number [n] of each run's mix; runs of one mix (other seeds) share it and are left out together."""
    return np.unique(np.round(mixtures, 9), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def random_folds(groups: NDArray[np.int64], seed: int) -> Folds:
    """Returns the runs left out in each fold: single mixes where there are few, else six random parts."""
    count = int(groups.max()) + 1
    parts = count if count <= SINGLY else RANDOM_FOLDS
    part = np.random.default_rng(seed).permutation(count) % parts
    return [np.flatnonzero(part[groups] == number) for number in range(parts)]


def block_folds(mixtures: Array, groups: NDArray[np.int64]) -> Folds:
    """Returns four blocks of mixes by concentration (sum of squared shares): leaving one out makes models extrapolate.

    A mix that is worth proposing is often more even or more extreme than the trials; random folds do not ask about it.
    """
    count = int(groups.max()) + 1
    if count < FEWEST_FOR_BLOCKS:
        return []
    first = np.unique(groups, return_index=True)[1]
    shares = mixtures[first] / np.maximum(mixtures[first].sum(1, keepdims=True), 1e-12)
    order = np.lexsort((np.arange(count), np.round(np.sum(shares**2, axis=1), 9)))
    block = np.empty(count, dtype=np.int64)
    block[order] = np.arange(count) * BLOCKS // count
    return [np.flatnonzero(block[groups] == number) for number in range(BLOCKS)]
