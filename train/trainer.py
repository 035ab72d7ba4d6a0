"""TRL's SFTTrainer fed by the shard loader, with losses told apart; only public methods are overridden."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from train.data import TrainingData
from train.loader import Batch, Lane, Sequences, ShardFeed, make_dataloader, read_rows, validation_batches
from train.losses import MeanLoss, SourceLosses, combine, mean_of_batches
from train.order import Plan
from train.scoring import Scores, keeps_logits, score_fused, score_kept

EVAL_TOKENS = 4096  # most tokens of one validation forward pass; without flash attention its cost is their square


class ShardTrainer(SFTTrainer):
    """Trains on packed shards in the plan's order; `loss/<source>` and `eval_loss/<ability>` join the logs."""

    def __init__(
        self,
        model: PreTrainedModel,
        args: SFTConfig,
        data: TrainingData,
        plan: Plan,
        tokenizer: PreTrainedTokenizerBase,
        adapter: Any,
        callbacks: list[TrainerCallback],
        workers: int = 0,
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            train_dataset=_first_sequence(data),
            processing_class=tokenizer,
            peft_config=adapter,
            callbacks=callbacks,
        )
        self.shard_data, self.plan, self.workers = data, plan, workers
        self.fused = self.args.device.type == "cuda" or not keeps_logits(model)
        self.source_losses = SourceLosses(data.sources, self.args.device)
        self._validation: dict[str, list[list[int]]] = {
            ability: _cut_validation(reader, self.eval_budget) for ability, reader in data.validation.items()
        }

    def get_train_dataloader(self) -> DataLoader[Batch]:
        """Returns this process's micro-batches for the whole run; `max_steps` makes it one long epoch."""
        world, micro = self.accelerator.num_processes, self.args.per_device_train_batch_size
        lane = Lane(self.accelerator.process_index, world, micro)
        feed = ShardFeed(self.shard_data.feed, self.plan, lane, self.args.max_steps)
        return make_dataloader(feed, self.workers)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Returns the summed loss of a micro-batch over the trained tokens of the whole step, on every process."""
        scores = self._score(model, inputs)
        self.source_losses.add(scores.losses, scores.sources)
        count = scores.losses.numel() if num_items_in_batch is None else num_items_in_batch
        loss = scores.losses.sum() / torch.as_tensor(count).clamp(min=1)
        if num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # gradients are averaged over processes, the count is not
        if scores.aux_loss is not None:
            weight = self.router_aux_loss_coef or 0.0
            loss = loss + weight * scores.aux_loss / self.current_gradient_accumulation_steps
        return loss

    def _score(self, model: torch.nn.Module, batch: Batch) -> Scores:
        extra = {"output_router_logits": True} if self.aux_loss_enabled else {}
        return (score_fused if self.fused else score_kept)(model, batch, extra)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Logs, with passes over the data, and the mean loss of every source since the last line beside the loss."""
        if "loss" in logs:
            means = self.source_losses.take()
            logs.update({f"loss/{name}": mean.loss for name, mean in means.items()})
            logs["trained_tokens"] = float(sum(mean.tokens for mean in means.values()))
        logs["passes"] = round(self.state.global_step * self.plan.batch / self.plan.rows, 4)
        super().log(logs, start_time)

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Returns and logs the token-weighted validation loss of each ability and of all of them."""
        means = {ability: self.ability_loss(ability) for ability in self._validation}
        metrics = {f"{metric_key_prefix}_loss/{name}": mean.loss for name, mean in means.items()}
        metrics.update({f"{metric_key_prefix}_tokens/{name}": float(mean.tokens) for name, mean in means.items()})
        metrics[f"{metric_key_prefix}_loss"] = combine(list(means.values())).loss
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def ability_loss(self, ability: str) -> MeanLoss:
        """Returns the mean loss over the trained tokens of one ability's validation rows.

        Batches are dealt to the processes in turn; each runs as many as the others, so sharded models stay in step.
        """
        reader, batches = self.shard_data.validation[ability], self._validation[ability]
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        totals = torch.zeros(len(batches), 2, dtype=self.source_losses.totals.dtype, device=self.args.device)
        for turn in range(-(-len(batches) // world)):
            number = turn * world + rank
            losses = self.token_losses(read_rows(reader, batches[number % len(batches)]))
            if number < len(batches):
                totals[number, 0] = losses.to(totals.dtype).sum()
                totals[number, 1] = losses.numel()
        return mean_of_batches(totals)

    def token_losses(self, batch: Batch) -> torch.Tensor:
        """Returns the loss [trained] of every trained token of a flat batch as the model stands, learning nothing."""
        model: Any = self.model_wrapped if self.is_deepspeed_enabled else self.model
        training = model.training
        model.eval()
        with torch.no_grad(), self.accelerator.autocast() if self.args.bf16 else nullcontext():
            losses = self._score(model, self._prepare_inputs(batch)).losses
        model.train(training)
        return losses

    @property
    def eval_budget(self) -> int:
        """Most tokens of one forward pass that measures."""
        return min(self.shard_data.length, EVAL_TOKENS)

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """Writes nothing: what a run was is in result.json, and its data has a card of its own."""


def _cut_validation(reader: Sequences, budget: int) -> list[list[int]]:
    lengths = [len(reader.read(row).input_ids) for row in range(len(reader))]
    return list(validation_batches(lengths, budget))


def _first_sequence(data: TrainingData) -> Dataset:
    """Returns one sequence, for the trainer's look at the data's columns; the loader reads the shards themselves."""
    first = data.train.read(0)
    return Dataset.from_dict(
        {
            "input_ids": [first.input_ids.tolist()],
            "labels": [first.labels.tolist()],
            "seq_lengths": [first.seq_lengths.tolist()],
        }
    )
