"""Packed equals unpacked, in loss and gradients, for each attention kernel; what breaks it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head

from curate.errors import TrainError
from curate.shards import PackedSequence, ShardReader
from train.loader import flatten, read_rows
from train.preflight import check_attention, check_packing_holds
from train.scoring import keeps_logits, score_fused, score_kept


def make_model(folder: Path, attention: str, **changes: object) -> torch.nn.Module:
    """Returns a seeded random model."""
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(folder, **changes)
    return AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.float32)


def loss_and_gradients(model: Any, score: Any, batches: list[Any]) -> tuple[float, torch.Tensor]:
    """Returns the mean loss over all trained tokens and its flat gradient."""
    model.zero_grad()
    losses = torch.cat([score(model, batch, {}).losses for batch in batches])
    losses.mean().backward()
    return losses.mean().item(), torch.cat([p.grad.flatten() for p in model.parameters()])


def documents_alone(reader: ShardReader) -> list[dict[str, torch.Tensor]]:
    """Returns every document as a batch of its own."""
    batches = []
    for row in range(len(reader)):
        sequence = reader.read(row)
        ends = np.cumsum(sequence.seq_lengths)
        for start, end, source in zip(ends - sequence.seq_lengths, ends, sequence.source_ids, strict=True):
            piece = slice(int(start), int(end))
            lengths, sources = np.array([end - start]), np.array([source])
            one = PackedSequence(sequence.input_ids[piece], sequence.labels[piece], lengths, sources)
            batches.append(flatten([one], np.ones(1, dtype=bool)))
    return batches


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("score", [score_kept, score_fused])
def test_packed_equals_unpacked(shards: Path, model_folder: Path, attention: str, score: Any) -> None:
    """Loss and gradients of packed rows, one or four a batch, are those of the documents alone."""
    model = make_model(model_folder, attention)
    add_fused_lm_head(model)
    reader = ShardReader.open(shards / "train")
    expected, gradients = loss_and_gradients(model, score_kept, documents_alone(reader))
    for size in (1, 4):
        rows = list(range(len(reader)))
        batches = [read_rows(reader, rows[i : i + size]) for i in range(0, len(rows), size)]
        loss, found = loss_and_gradients(model, score, batches)
        assert loss == pytest.approx(expected, rel=1e-6)
        assert (found - gradients).abs().max() / gradients.abs().max() < 2e-6


def test_positions_that_run_on_would_leak_and_are_refused(shards: Path, model_folder: Path) -> None:
    """A model that overlooks the borders changes loss and gradients, and the probe on the model itself refuses it."""
    model = make_model(model_folder, "sdpa")
    check_packing_holds(model, 8192)

    class Leaky(type(model)):  # type: ignore[misc]
        def forward(self, position_ids: torch.Tensor, **inputs: Any) -> Any:
            return super().forward(attention_mask=torch.ones_like(position_ids), position_ids=position_ids, **inputs)

    reader = ShardReader.open(shards / "train")
    batches = [read_rows(reader, [row]) for row in range(len(reader))]
    _, gradients = loss_and_gradients(model, score_kept, batches)
    model.__class__ = Leaky
    _, leaked = loss_and_gradients(model, score_kept, batches)
    assert (leaked - gradients).abs().max() / gradients.abs().max() > 0.01
    with pytest.raises(TrainError, match="lets packed documents read each other"):
        check_packing_holds(model, 8192)


def test_an_attention_without_borders_is_refused_by_name(model_folder: Path) -> None:
    """A kernel off the list, or one that cannot train on this device, is refused."""
    model = make_model(model_folder, "sdpa")
    check_attention(model, torch.device("cpu"))
    model.config._attn_implementation = "paged|sdpa"
    with pytest.raises(TrainError, match="ignores the borders of packed documents"):
        check_attention(model, torch.device("cpu"))
    model.config._attn_implementation = "flex_attention"
    with pytest.raises(TrainError, match="does not train on a CPU"):
        check_attention(model, torch.device("cpu"))


def test_a_batch_with_nothing_to_learn_scores_nothing_and_still_has_gradients(model_folder: Path) -> None:
    """Filler batches give an empty loss whose sum is a zero every parameter takes part in."""
    model = make_model(model_folder, "sdpa")
    assert keeps_logits(model)
    ids = np.arange(8, dtype=np.int32)
    sequence = PackedSequence(ids, ids, np.array([8], dtype=np.int32), np.array([0], dtype=np.int16))
    scores = score_kept(model, flatten([sequence], np.zeros(1, dtype=bool)), {})
    assert scores.losses.numel() == 0
    scores.losses.sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())
