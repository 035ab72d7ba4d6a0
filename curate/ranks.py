"""Ranks: a keyed 64-bit hash of ids, so that a seeded choice depends on a row's id and on nothing around it."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def keyed_ranks(ids: NDArray[np.uint64], seed: int, purpose: str) -> NDArray[np.uint64]:
    """Returns one hash for each id (uint64[n, 2]), keyed by the seed and a purpose; the same on every platform."""
    digest = hashlib.blake2b(f"{seed}\0{purpose}".encode(), digest_size=8).digest()
    key = np.uint64((int.from_bytes(digest, "big") + _GOLDEN) & _MASK)
    return _splitmix(_splitmix(ids[:, 0] + key) ^ ids[:, 1])


def _splitmix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele et al. 2014): a bijection of 64-bit words."""
    mixed = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
