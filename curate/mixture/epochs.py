"""What repeated passes are worth, and how passes of a mixture and of a training run multiply."""

from __future__ import annotations

import math
from collections.abc import Mapping

WARN_EPOCHS = 4
"""Beyond four passes repeated data is worth clearly less than new data (Muennighoff et al. 2023)."""

HALF_LIFE = 15.39
"""R* of Muennighoff et al. 2023 (arXiv 2305.16264), section 6: repetitions whose worth decays by 1/e."""


def effective(passes: Mapping[str, float], epochs: float) -> str | None:
    """Returns the passes over each group's own data that a training run makes of a mixture's, in one line.

    ``epochs`` is how often the run reads the whole stream. None when every group is passed over once or less.
    """
    if not any(number * epochs > 1.005 for number in passes.values()):
        return None
    told = ", ".join(f"{name} {number:.3g} × {epochs:.3g} = {number * epochs:.3g}" for name, number in passes.items())
    most = max(passes, key=lambda name: passes[name])
    beyond = (
        f"; beyond {WARN_EPOCHS} passes ({most}) repeats teach little" if passes[most] * epochs > WARN_EPOCHS else ""
    )
    return f"passes over each group's rows, mixture × training: {told}{beyond}"


def worth(epochs: float) -> float:
    """Returns how many passes over new data this many passes over the same data are worth."""
    if epochs <= 1:
        return epochs
    return 1 + HALF_LIFE * (1 - math.exp(-(epochs - 1) / HALF_LIFE))
