"""Supervised fine-tuning on packed shards: check everything, train in the plan's order, report losses per ability."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer import TRAINING_ARGS_NAME
from trl.trainer.sft_config import SFTConfig

from curate.errors import TrainError
from curate.mixture.epochs import effective
from train import preflight
from train.checkpoint import GuardWriter, check_guard, facts, find_last
from train.config import TrainConfig
from train.data import TRAIN, ShardData, TrainingData, open_shards
from train.models import (
    choose_attention,
    load_model,
    load_own_tokenizer,
    load_shard_tokenizer,
    quiet_libraries,
    runs_bfloat16,
)
from train.order import Plan, batch_sequences, cut_segments
from train.progress import Listener, MetricsLog, Validate
from train.result import CONFIG, LEFT, MERGED, MODEL, Result, last_training, losses_of
from train.trainer import ShardTrainer

RECOMPUTE = next(
    n for n in ("activation_checkpointing", "gradient_checkpointing") if n in SFTConfig.__dataclass_fields__
)
CHECKPOINTED_FROM = 500_000_000  # parameters from which `auto` recomputes activations on a GPU


def run_sft(
    config: TrainConfig,
    data: Path,
    out: Path,
    resume: bool = False,
    overwrite: bool = False,
    listener: Listener | None = None,
    warn: Callable[[str], None] | None = None,
) -> Result:
    """Trains a model on the shards of `data` and leaves model, checkpoints, metrics and result in `out`.

    Raises:
        TrainError: anything that would make the run silently wrong, before its first step.
    """
    quiet_libraries()
    started = time.monotonic()
    shards = open_shards(data, config.verify_shards)
    checkpoint = _earlier_run(out, resume, overwrite)
    tokenizer, end_ids, notes = _check_data(config, shards)
    if resume and checkpoint is None:
        notes.append(f"{out}: no complete checkpoint yet, so the run starts at its first step")
    plan = make_plan(config, shards)
    epochs = config.max_steps * plan.batch / plan.rows if config.max_steps else config.epochs
    if repeats := effective(shards.passes, epochs):
        notes.append(repeats)
    for note in notes:
        (warn or (lambda _: None))(note)
    if checkpoint is not None:
        check_guard(checkpoint, shards, plan)
    steps = config.max_steps or plan.steps
    trainer = _make_trainer(config, shards, plan, steps, tokenizer, out, checkpoint, listener)
    _write_config(trainer, config, shards, plan, out)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    _save(trainer, end_ids, out)
    result = _report(trainer, config, shards, plan, out, time.monotonic() - started, tuple(notes))
    if config.method == "lora" and config.lora.merge:
        _save_merged(trainer, tokenizer, out)
    return result


def make_plan(config: TrainConfig, data: ShardData) -> Plan:
    """Returns the reading order of the config over the shards."""
    rows = sum(data.rows(TRAIN))
    batch = config.global_batch or batch_sequences(config.batch_tokens, data.tokens, rows, config.micro_batch)
    wanted = None if config.max_steps else math.ceil(rows * config.epochs)
    segments = cut_segments(data.rows(TRAIN))
    return Plan(segments, batch, config.seed, data.manifest.hash, wanted, config.skip)


def _check_data(config: TrainConfig, data: ShardData) -> tuple[PreTrainedTokenizerBase, tuple[int, ...], list[str]]:
    preflight.check_tokenizer_files(data)
    tokenizer = load_shard_tokenizer(data.tokenizer_folder)
    own = load_own_tokenizer(config)
    preflight.check_same_tokenizer(own, tokenizer, config)
    end_ids = preflight.check_rows(data, preflight.special_ids(tokenizer))
    return tokenizer, end_ids, preflight.advise(config, own)


def _earlier_run(out: Path, resume: bool, overwrite: bool) -> Path | None:
    """Returns the checkpoint to go on from; only the first process minds what an earlier run left."""
    if resume:
        return find_last(out)
    if os.environ.get("RANK", "0") != "0":
        return None
    left = [path for name in LEFT for path in sorted(out.glob(name))]
    if left and not overwrite:
        raise TrainError(
            f"{out}: holds an earlier run; go on with --resume, start over with --overwrite, or name another --out"
        )
    for path in left:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return None


def _make_trainer(
    config: TrainConfig,
    data: ShardData,
    plan: Plan,
    steps: int,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    checkpoint: Path | None,
    listener: Listener | None,
) -> ShardTrainer:
    model = load_model(config)
    args = make_arguments(config, plan, steps, out, model, first=bool(data.validation) and checkpoint is None)
    callbacks: list[transformers.TrainerCallback] = [
        Validate(config.eval_steps if data.validation else None),
        MetricsLog(out, facts(data, plan), listener),
        GuardWriter(data, plan),
        preflight.ShardingCheck(config.fsdp),
    ]
    return build_trainer(config, model, args, data, plan, tokenizer, callbacks)


def build_trainer(
    config: TrainConfig,
    model: PreTrainedModel,
    args: SFTConfig,
    data: TrainingData,
    plan: Plan,
    tokenizer: PreTrainedTokenizerBase,
    callbacks: list[transformers.TrainerCallback],
) -> ShardTrainer:
    """Returns a trainer of a model over shards or a pool, everything checked that would train silently wrong.

    Raises:
        TrainError: the model does not suit the data, or its attention lets packed documents see each other.
    """
    preflight.check_lengths(data, model)
    preflight.check_attention(model, args.device)
    adapter = _adapter(config) if config.method == "lora" else None
    trainer = ShardTrainer(model, args, data, plan, tokenizer, adapter, callbacks, config.loader_workers)
    trainer.remove_callback(transformers.PrinterCallback)
    parallel = trainer.accelerator.parallelism_config
    preflight.check_arguments(args, parallel is not None and bool(parallel.cp_enabled))
    preflight.check_packing_holds(trainer.model, len(tokenizer))
    return trainer


def make_arguments(
    config: TrainConfig, plan: Plan, steps: int, out: Path, model: PreTrainedModel, first: bool
) -> SFTConfig:
    """Returns the trainer's arguments; with `first` it validates before its first step."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))  # set by torchrun and accelerate
    preflight.check_split(plan.batch, config.micro_batch, processes)
    preflight.check_launch(config.fsdp, processes)
    recompute: dict[str, Any] = {RECOMPUTE: _recompute(config, model)}
    schedule, shape = _schedule(config, steps)
    return SFTConfig(
        output_dir=str(out),
        packing=False,
        padding_free=True,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_steps=steps,
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=plan.batch // (config.micro_batch * processes),
        learning_rate=config.learning_rate,
        warmup_steps=int(config.warmup * steps),
        lr_scheduler_type=schedule,
        lr_scheduler_kwargs=shape,
        optim="adamw_torch_fused",
        adam_beta1=config.betas[0],
        adam_beta2=config.betas[1],
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        seed=config.seed,
        bf16=runs_bfloat16(config),
        use_cpu=not torch.accelerator.is_available(),
        **recompute,
        eval_strategy="no",
        eval_on_start=first,
        save_strategy="steps" if config.save_steps else "no",
        save_steps=config.save_steps or 500,
        save_total_limit=config.keep_checkpoints,
        logging_steps=config.log_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        fsdp=config.fsdp or None,  # type: ignore[arg-type]  # a flag since transformers 5, still typed as text
        deepspeed=str(config.deepspeed) if config.deepspeed else None,
        ddp_find_unused_parameters=False,
    )


def _schedule(config: TrainConfig, steps: int) -> tuple[str, dict[str, Any]]:
    """Returns the library's name of a learning rate schedule and its arguments.

    The decay of `wsd` follows 1 - sqrt, the best of those compared by Hägele et al. 2024 (arXiv:2405.18392, §4).
    """
    if config.schedule == "cosine":
        return "cosine_with_min_lr", {"min_lr_rate": config.min_lr_rate}
    if config.schedule == "wsd":
        falling = max(1, round(config.decay * steps))
        last = {"min_lr_ratio": config.min_lr_rate}
        return "warmup_stable_decay", {"num_decay_steps": falling, "decay_type": "1-sqrt", **last}
    return {"linear": "linear", "constant": "constant_with_warmup"}[config.schedule], {}


def _recompute(config: TrainConfig, model: PreTrainedModel) -> bool:
    if config.gradient_checkpointing == "auto":
        return torch.cuda.is_available() and model.num_parameters() >= CHECKPOINTED_FROM
    return config.gradient_checkpointing == "always"


def _adapter(config: TrainConfig) -> peft.LoraConfig:
    return peft.LoraConfig(
        r=config.lora.r,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=list(config.lora.targets) or "all-linear",
        bias="none",
        task_type="CAUSAL_LM",
    )


def _write_config(trainer: ShardTrainer, config: TrainConfig, data: ShardData, plan: Plan, out: Path) -> None:
    if trainer.is_world_process_zero():
        out.mkdir(parents=True, exist_ok=True)
        chosen = {"attention": choose_attention(config), "batch": plan.batch, "steps": trainer.args.max_steps}
        told = {"config": config.model_dump(mode="json"), "data": str(data.folder), **facts(data, plan), **chosen}
        (out / CONFIG).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _save(trainer: ShardTrainer, end_ids: tuple[int, ...], out: Path) -> None:
    """Saves the model with the shards' tokenizer, told to stop where an answer ends.

    The Trainer's arguments are left out: a pickle, to be loaded by nobody, of what CONFIG says in the open.
    """
    base = trainer.accelerator.unwrap_model(trainer.model)
    if base.generation_config is not None and end_ids:
        base.generation_config.eos_token_id = list(end_ids)
    trainer.save_model(str(out / MODEL))
    if trainer.is_world_process_zero():
        (out / MODEL / TRAINING_ARGS_NAME).unlink(missing_ok=True)


def _save_merged(trainer: ShardTrainer, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    if trainer.is_world_process_zero():
        trainer.accelerator.unwrap_model(trainer.model).merge_and_unload().save_pretrained(out / MERGED)
        tokenizer.save_pretrained(out / MERGED)


def _report(
    trainer: ShardTrainer,
    config: TrainConfig,
    data: ShardData,
    plan: Plan,
    out: Path,
    seconds: float,
    notes: tuple[str, ...],
) -> Result:
    history = trainer.state.log_history
    line = last_training(history)
    steps = trainer.state.global_step
    read = steps * plan.batch
    parameters = list(trainer.accelerator.unwrap_model(trainer.model).parameters())
    result = Result(
        folder=str(out),
        model=MODEL,
        data=str(data.folder),
        manifest=data.manifest.hash,
        mix=data.manifest.mix,
        plan=plan.hash,
        steps=steps,
        sequences=read if plan.wanted is None else min(read, plan.wanted),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        parameters=sum(p.numel() for p in parameters),
        seconds=round(seconds, 3),
        processes=trainer.accelerator.num_processes,
        train_loss=line.get("loss", math.nan),
        train_loss_by_source={key[5:]: value for key, value in line.items() if key.startswith("loss/")},
        validation=losses_of(history),
        notes=notes,
        config=config.model_dump(mode="json"),
    )
    if trainer.is_world_process_zero():
        result.write()
    return result
