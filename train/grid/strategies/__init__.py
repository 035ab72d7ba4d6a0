"""Strategies: each is a pure function from the finished rounds of a search to its next round of trials.

Rounds are what makes a search repeatable: whatever the number of workers and however often they are killed, a round is
proposed from the same results. `full`, `sobol` and `random` propose one round, the others one after another.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from train.grid.strategies.adaptive import Adaptive
from train.grid.strategies.halving import Halving
from train.grid.strategies.sampled import Full, Random, Sobol
from train.grid.strategies.study import Finished, Learn, Study, Trial
from train.grid.strategies.sweep import Sweep

Strategy = Annotated[Full | Sweep | Sobol | Random | Halving | Adaptive, Field(discriminator="name")]

__all__ = ["Adaptive", "Finished", "Full", "Halving", "Learn", "Random", "Sobol", "Strategy", "Study", "Sweep", "Trial"]
