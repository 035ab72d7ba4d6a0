"""What repeated passes are worth, and how passes of a mixture and of a training run multiply."""

from __future__ import annotations

import math

HALF_LIFE = 15.39
"""R* of Muennighoff et al. 2023 (arXiv 2305.16264), section 6: repetitions whose worth decays by 1/e."""


def worth(epochs: float) -> float:
    """Returns how many passes over new data this many passes over the same data are worth."""
    if epochs <= 1:
        return epochs
    return 1 + HALF_LIFE * (1 - math.exp(-(epochs - 1) / HALF_LIFE))
