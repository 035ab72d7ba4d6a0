"""The loss of every trained token of a flat batch, without ever holding logits of the places that learn nothing."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import torch

from train.loader import IGNORED, Batch


class Scores(NamedTuple):
    """Losses and sources of the trained tokens, both [trained]; the balance loss of a mixture-of-experts model."""

    losses: torch.Tensor
    sources: torch.Tensor
    aux_loss: torch.Tensor | None


def score_fused(model: torch.nn.Module, batch: Batch, extra: dict[str, Any]) -> Scores:
    """Scores with TRL's fused head, which recomputes logits tile by tile: for a GPU and large vocabularies."""
    labels, sources, inputs = _split(batch)
    output = model(**inputs, **extra, labels=labels, use_cache=False, fused_lm_head=True)
    trained = output.label_mask
    return Scores(-output.log_probs[trained], sources[:, 1:][trained], output.aux_loss)


def score_kept(model: torch.nn.Module, batch: Batch, extra: dict[str, Any]) -> Scores:
    """Scores from the logits of the trained places alone: two to three times as fast as the fused head on a CPU."""
    labels, sources, inputs = _split(batch)
    places = (labels[0, 1:] != IGNORED).nonzero()[:, 0]
    output = model(**inputs, **extra, use_cache=False, logits_to_keep=places)
    logits = output.logits[0].float()
    losses = torch.nn.functional.cross_entropy(logits, labels[0, 1:][places], reduction="none")
    return Scores(losses, sources[0, 1:][places], getattr(output, "aux_loss", None))


def keeps_logits(model: torch.nn.Module) -> bool:
    """Tells whether a model computes the logits of chosen places only."""
    return "logits_to_keep" in inspect.signature(type(model).forward).parameters


def _split(batch: Batch) -> tuple[torch.Tensor, torch.Tensor, Batch]:
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "source_ids")}
    return batch["labels"], batch["source_ids"], inputs
