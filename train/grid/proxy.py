"""The proxy model of a search: loaded once, every trial starts from the same weights, trained as `train sft` trains."""

from __future__ import annotations

import copy
import gc
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from curate.errors import TrainError
from curate.mixing import Mixing
from curate.tokens.files import resolve_folder
from train import preflight
from train.config import TrainConfig
from train.grid.choices import Grade, examine
from train.grid.pooled import PoolData
from train.grid.repetition import repetition_of
from train.models import load_model, load_own_tokenizer, load_shard_tokenizer, quiet_libraries
from train.order import Plan, batch_sequences, cut_segments
from train.sft import build_trainer, make_arguments
from train.trainer import ShardTrainer

Beat = Callable[[int, int], None]
"""Told of each step and how many there are."""


@dataclass(frozen=True)
class AbilityOutcome:
    """What one ability's validation rows say of a trained model."""

    loss: float
    tokens: int
    repetition: float


@dataclass(frozen=True)
class Outcome:
    """What a trial reached."""

    abilities: dict[str, AbilityOutcome]
    tests: dict[str, Grade]
    steps: int
    tokens: int
    """Tokens read in training."""
    train_loss: float
    seconds: float


@dataclass(frozen=True)
class Answers:
    """How many greedy answers an ability's repetition is measured on, and how long they may get."""

    rows: int
    tokens: int


class Proxy:
    """A model in memory and the settings trials train it with."""

    def __init__(self, config: TrainConfig, mixing: Mixing, answers: Answers) -> None:
        """Loads model and tokenizer.

        Raises:
            TrainError: the model can't be loaded, or its tokenizer is not the pool's.
        """
        quiet_libraries()
        self.config, self.answers = config, answers
        self.tokenizer = load_shard_tokenizer(resolve_folder(str(mixing.recipe.tokenizer)))
        own = load_own_tokenizer(config)
        preflight.check_same_tokenizer(own, self.tokenizer, config)
        self.notes = preflight.advise(config, own)
        self.model = load_model(config)
        self.eos = tuple(sorted({self.tokenizer.eos_token_id} - {None}))

    def plan(self, data: PoolData, seed: int) -> Plan:
        """Returns the reading order of one pass, or as many as the settings ask for."""
        rows = len(data.train)
        config = self.config
        if not rows:
            raise TrainError("a mixture has no rows; raise the budget of the search, or leave its lowest levels out")
        batch = config.global_batch or batch_sequences(config.batch_tokens, data.train.tokens, rows, config.micro_batch)
        wanted = None if config.max_steps else math.ceil(rows * config.epochs)
        return Plan(cut_segments((rows,)), batch, seed, data.digest, wanted)

    def train(self, data: PoolData, seed: int, rung: Fraction = Fraction(1), beat: Beat | None = None) -> Outcome:
        """Trains the first `rung` of the steps of a mixture and returns validation losses, and grades of tests.

        `seed` decides adapters, dropout and later passes; the model's first weights are the same in every trial.
        """
        started = time.monotonic()
        plan = self.plan(data, seed)
        steps = max(1, math.ceil(rung * (self.config.max_steps or plan.steps)))
        with tempfile.TemporaryDirectory() as scratch:
            trainer = self._trainer(data, plan, steps, seed, Path(scratch), beat)
            preflight.check_rows(data, preflight.special_ids(self.tokenizer))
            loss = trainer.train().training_loss
            outcomes, grades = self._measure(trainer, data), _grades(trainer, data)
        read = steps * plan.batch if plan.wanted is None else min(steps * plan.batch, plan.wanted)
        tokens = round(data.train.tokens * read / len(data.train))
        return Outcome(outcomes, grades, steps, tokens, float(loss), round(time.monotonic() - started, 3))

    def measure(self, data: PoolData) -> Outcome:
        """Returns the validation losses and grades of the model before any training."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            plan = self.plan(data, self.config.seed)
            trainer = self._trainer(data, plan, 1, self.config.seed, Path(scratch), None)
            outcomes, grades = self._measure(trainer, data), _grades(trainer, data)
        return Outcome(outcomes, grades, 0, 0, math.nan, round(time.monotonic() - started, 3))

    def _trainer(self, data: PoolData, plan: Plan, steps: int, seed: int, out: Path, beat: Beat | None) -> ShardTrainer:
        gc.collect()  # the trainer before this one refers to itself, and would keep its copy of the model for long
        config = self.config.model_copy(update={"seed": seed, "save_steps": 0, "loader_workers": 0})
        model = copy.deepcopy(self.model)
        args = make_arguments(config, plan, steps, out, model, first=False)
        callbacks: list[TrainerCallback] = [_Beat(beat)] if beat else []
        trainer = build_trainer(config, model, args, data, plan, self.tokenizer, callbacks)
        trainer.remove_callback(PrinterCallback)
        return trainer

    def _measure(self, trainer: ShardTrainer, data: PoolData) -> dict[str, AbilityOutcome]:
        found = {}
        for ability, rows in data.validation.items():
            mean = trainer.ability_loss(ability)
            model = trainer.accelerator.unwrap_model(trainer.model)
            ratio = repetition_of(model, rows, self.answers.rows, self.answers.tokens, self.eos)
            found[ability] = AbilityOutcome(mean.loss, mean.tokens, ratio)
        return found


def _grades(trainer: ShardTrainer, data: PoolData) -> dict[str, Grade]:
    return {name: examine(test, trainer.token_losses, trainer.eval_budget) for name, test in data.tests.items()}


class _Beat(TrainerCallback):
    """Tells of each step, and stops a trial whose loss is no number."""

    def __init__(self, beat: Beat) -> None:
        self.beat = beat

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: object
    ) -> None:
        """Tells of the step just done."""
        self.beat(state.global_step, state.max_steps)
