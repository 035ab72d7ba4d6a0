"""Losses told apart: training loss per source from per-token losses, validation loss per ability, both exact over ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class MeanLoss:
    """A token-weighted mean: nats for each trained token, and how many trained tokens it is the mean of."""

    loss: float
    tokens: int


class SourceLosses:
    """Sums per-token losses by source between two log lines; costs one scatter for each micro-batch."""

    def __init__(self, sources: Sequence[str], device: torch.device) -> None:
        self.sources = tuple(sources)
        self.totals = torch.zeros(2, len(self.sources), dtype=_sum_dtype(device), device=device)

    def add(self, losses: torch.Tensor, sources: torch.Tensor) -> None:
        """Adds the losses of one micro-batch's trained tokens and the source number of each, both [trained]."""
        values = losses.detach().to(self.totals.dtype)
        self.totals[0].index_add_(0, sources, values)
        self.totals[1].index_add_(0, sources, torch.ones_like(values))

    def take(self) -> dict[str, MeanLoss]:
        """Returns the mean of every source seen by any process since the last call, and starts anew."""
        totals = sum_over_ranks(self.totals).cpu()
        self.totals.zero_()
        return {
            name: MeanLoss(float(loss / tokens), int(tokens))
            for name, loss, tokens in zip(self.sources, totals[0], totals[1], strict=True)
            if tokens > 0
        }


def mean_of_batches(totals: torch.Tensor) -> MeanLoss:
    """Returns the token-weighted mean of [batches, 2] (loss sum, tokens) where each rank filled in its own batches.

    Adding zeros is exact and the batches are summed in their order, so the mean does not depend on the rank count.
    """
    loss, tokens = sum_over_ranks(totals).cpu().double().sum(dim=0).tolist()
    return MeanLoss(loss / tokens if tokens else float("nan"), int(tokens))


def combine(means: Sequence[MeanLoss]) -> MeanLoss:
    """Returns the token-weighted mean of means."""
    tokens = sum(mean.tokens for mean in means)
    loss = sum(mean.loss * mean.tokens for mean in means if mean.tokens)
    return MeanLoss(loss / tokens if tokens else float("nan"), tokens)


def sum_over_ranks(values: torch.Tensor) -> torch.Tensor:
    """Returns the sum of a tensor over all processes, as a new tensor."""
    values = values.clone()
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        dist.all_reduce(values)
    return values


def _sum_dtype(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64
