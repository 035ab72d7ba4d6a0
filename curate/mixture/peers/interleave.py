"""How many rows `datasets.interleave_datasets` takes of each dataset, without making the dataset.

The draws are those of `datasets` 3 to 5 for the same seed: blocks of 1,000 from numpy's default generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from curate.errors import RecipeError

Stop = Literal["first_exhausted", "all_exhausted", "all_exhausted_without_replacement"]
_BLOCK = 1000


def interleaved(sizes: Sequence[int], probabilities: Sequence[float] | None, seed: int | None, stop: Stop) -> list[int]:
    """Returns rows taken of each dataset.

    Raises:
        RecipeError: for probabilities that `interleave_datasets` refuses or could never finish with.
    """
    if probabilities is None:
        each = {"first_exhausted": min(sizes), "all_exhausted": max(sizes)}.get(stop)
        return list(sizes) if each is None else [each] * len(sizes)
    if len(probabilities) != len(sizes):
        raise RecipeError(f"{len(probabilities)} probabilities for {len(sizes)} datasets")
    if abs(sum(probabilities) - 1) > 1e-6:
        raise RecipeError(f"the probabilities sum to {sum(probabilities):g}; `datasets` refuses anything but 1")
    if stop == "all_exhausted_without_replacement":
        return [size if share else 0 for size, share in zip(sizes, probabilities, strict=True)]
    drawn = np.asarray(probabilities) > 0
    if stop == "all_exhausted" and not drawn.all():
        raise RecipeError("a dataset with probability 0 is never exhausted, so `all_exhausted` would never end")
    if not all(size for size, share in zip(sizes, drawn, strict=True) if share):
        raise RecipeError("a dataset with a probability above 0 has no rows; `datasets` refuses that")
    return _drawn(np.asarray(sizes), np.asarray(probabilities), drawn, seed, first=stop == "first_exhausted")


def _drawn(
    sizes: np.ndarray[tuple[int], np.dtype[np.int64]],
    probabilities: np.ndarray[tuple[int], np.dtype[np.float64]],
    drawn: np.ndarray[tuple[int], np.dtype[np.bool_]],
    seed: int | None,
    first: bool,
) -> list[int]:
    """Draws block by block until the first, or the last, dataset has been drawn as often as it has rows."""
    rng = np.random.default_rng(seed)
    counts = np.zeros(sizes.size, dtype=np.int64)
    while True:
        block = rng.choice(sizes.size, size=_BLOCK, p=probabilities)
        after = counts + np.bincount(block, minlength=sizes.size)
        full = (after >= sizes)[drawn]
        if full.any() if first else full.all():
            break
        counts = after
    so_far = counts + np.cumsum(block[:, None] == np.arange(sizes.size), axis=0)
    full_at = (so_far >= sizes)[:, drawn]
    end = int(np.argmax(full_at.any(axis=1) if first else full_at.all(axis=1)))
    found: list[int] = so_far[end].tolist()
    return found
