"""Ranks: a keyed 64-bit hash of ids, so that a seeded choice depends on a row's id and on nothing around it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def keyed_ranks(ids: NDArray[np.uint64], seed: int, purpose: str) -> NDArray[np.uint64]:
    """Returns one hash for each id (uint64[n, 2]), keyed by the seed and a purpose; the same on every platform."""
    return _splitmix(_splitmix(ids[:, 0] + np.uint64(_key(seed, purpose))) ^ ids[:, 1])


def keyed_ranks_of(
    ids: NDArray[np.uint64], seed: int, purposes: Sequence[str], of: NDArray[np.integer[Any]]
) -> NDArray[np.uint64]:
    """Returns what `keyed_ranks` does where each id has a purpose of its own: ``purposes[of[k]]``."""
    keys = np.array([_key(seed, purpose) for purpose in purposes], dtype=np.uint64)
    return _splitmix(_splitmix(ids[:, 0] + keys[of]) ^ ids[:, 1])


def _key(seed: int, purpose: str) -> int:
    digest = hashlib.blake2b(f"{seed}\0{purpose}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + _GOLDEN) & _MASK


def _splitmix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele et al. 2014): a bijection of 64-bit words."""
    mixed = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
