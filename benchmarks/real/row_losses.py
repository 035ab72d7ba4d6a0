"""The loss of every validation row under a model, and what a comparison of two models over the same rows is worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch

from train.config import TrainConfig
from train.data import ShardData
from train.loader import read_rows
from train.models import load_model
from train.scoring import score_kept

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class RowLosses:
    """For each row of an ability the sum of its trained tokens' losses in nats, and how many tokens those are."""

    totals: Array
    tokens: Array

    @property
    def mean(self) -> float:
        """Nats for each trained token."""
        return float(self.totals.sum() / self.tokens.sum())


def row_losses(model: Path, adapter: Path | None, data: ShardData) -> dict[str, RowLosses]:
    """Returns the losses of all validation rows, by ability."""
    found: Any = load_model(TrainConfig(model=str(model)))
    if adapter is not None:
        found = peft.PeftModel.from_pretrained(found, str(adapter)).merge_and_unload()
    found.train(False)
    losses: dict[str, RowLosses] = {}
    with torch.inference_mode():
        for ability, reader in data.validation.items():
            scored = [score_kept(found, read_rows(reader, [row]), {}).losses for row in range(len(reader))]
            totals = np.array([float(row.double().sum()) for row in scored])
            losses[ability] = RowLosses(totals, np.array([float(len(row)) for row in scored]))
    return losses


def interval(before: RowLosses, after: RowLosses, draws: int = 10_000, seed: int = 17) -> tuple[float, float, float]:
    """Returns how much lower `after` is in nats per token, and its 95 % bootstrap interval over rows, drawn in pairs."""
    fall = before.totals - after.totals
    rows = np.random.default_rng(seed).integers(len(fall), size=(draws, len(fall)))
    drawn = fall[rows].sum(axis=1) / before.tokens[rows].sum(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(fall.sum() / before.tokens.sum()), float(low), float(high)
