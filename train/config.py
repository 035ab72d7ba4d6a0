"""What a training run is told: one frozen model, read from YAML, every field documented where it is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curate.errors import TrainError, did_you_mean

FULL_LR, LORA_LR, CHAT_LR_LIMIT = 1e-5, 1e-4, 2e-5


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LoraConfig(_Settings):
    """The low-rank adapter (Hu et al. 2021) trained instead of the weights when `method` is `lora`."""

    r: int = Field(16, ge=1, description="rank of the adapter")
    alpha: int = Field(32, ge=1, description="scale: the adapter's output is multiplied by alpha / r")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout in front of the adapter; 0 keeps runs repeatable")
    targets: tuple[str, ...] = Field(
        (), description="names of the linear layers that get an adapter; empty: every linear layer but the head"
    )
    merge: bool = Field(False, description="also write the base weights with the adapter merged in (model-merged/)")


class TrainConfig(_Settings):
    """Everything that shapes a run; where the data lies and where the result goes are arguments of the run."""

    model: str = Field(
        min_length=1,
        description="a local folder (with only config.json: random weights from `seed`), a hub id, a .gguf file, "
        "or a folder holding one",
    )
    method: Literal["full", "lora"] = Field("full", description="train every weight, or a low-rank adapter")
    lora: LoraConfig = Field(default_factory=LoraConfig, description="the adapter, when `method` is `lora`")
    epochs: float = Field(1.0, gt=0, description="passes over the shards; ignored when `max_steps` is given")
    max_steps: int | None = Field(None, ge=1, description="optimizer steps, instead of `epochs`")
    batch_tokens: int = Field(65536, ge=1, description="tokens in one optimizer step, turned into whole sequences")
    global_batch: int | None = Field(None, ge=1, description="sequences in one optimizer step, over `batch_tokens`")
    micro_batch: int = Field(1, ge=1, description="sequences one process computes at a time; 1 suits packed shards")
    lr: float | None = Field(None, gt=0, description="peak learning rate; default 1e-5 (full) or 1e-4 (lora)")
    warmup: float = Field(0.03, ge=0, lt=1, description="share of the steps with a rising learning rate")
    schedule: Literal["cosine", "linear", "constant", "wsd"] = Field(
        "cosine",
        description="shape after the warm-up; cosine and wsd (warm-up, stable, decay) end at `min_lr_rate` of the peak",
    )
    decay: float = Field(0.2, gt=0, lt=1, description="share of the steps, the last, with a falling rate under `wsd`")
    min_lr_rate: float = Field(0.1, ge=0, le=1, description="last learning rate of `cosine` and `wsd` over the peak")
    weight_decay: float = Field(0.1, ge=0, description="AdamW's decoupled decay; norms and biases are exempt")
    betas: tuple[float, float] = Field((0.9, 0.95), description="AdamW's two decay rates")
    clip: float = Field(1.0, gt=0, description="largest gradient norm")
    seed: int = Field(17, ge=0, description="seeds later passes' order, random weights, adapters and dropout")
    eval_steps: int = Field(0, ge=0, description="steps between validations; 0: only before and after training")
    save_steps: int = Field(100, ge=0, description="steps between checkpoints; 0: only at the end")
    keep_checkpoints: int = Field(3, ge=1, description="checkpoints kept, the oldest removed first")
    log_steps: int = Field(1, ge=1, description="steps between lines of metrics.jsonl")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic of the forward pass over float32 weights; auto: bfloat16 where a GPU has it"
    )
    attn_implementation: Literal[
        "auto", "sdpa", "eager", "flex_attention", "flash_attention_2", "flash_attention_3"
    ] = Field("auto", description="attention kernel; auto: flash_attention_2 where installed on a GPU, else sdpa")
    gradient_checkpointing: Literal["auto", "always", "never"] = Field(
        "auto", description="recompute activations to save memory; auto: on a GPU from 500M parameters"
    )
    skip: tuple[tuple[int, int], ...] = Field(
        (), description="half-open spans [first, last) of batches of the reading order that are never trained"
    )
    fsdp: bool = Field(False, description="shard parameters, gradients and optimizer over the processes (FSDP2)")
    deepspeed: Path | None = Field(None, description="a DeepSpeed JSON config")
    loader_workers: int = Field(0, ge=0, description="processes that read ahead; 0 reads in the trainer's own")
    trust_remote_code: bool = Field(False, description="let the model's repository run its own code here")
    other_template: bool = Field(False, description="accept a chat model trained on another chat template")
    verify_shards: bool = Field(False, description="check every shard file's sha256 before training")

    @model_validator(mode="after")
    def _spans_are_ordered(self) -> TrainConfig:
        ends = [edge for span in self.skip for edge in span]
        if any(first >= last for first, last in self.skip) or ends != sorted(ends) or min(ends, default=0) < 0:
            raise ValueError("skip: spans are [first, last) with first < last, in rising order, and never overlap")
        return self

    @model_validator(mode="after")
    def _rises_before_it_falls(self) -> TrainConfig:
        if self.schedule == "wsd" and self.warmup + self.decay > 1:
            raise ValueError(f"warmup {self.warmup} and decay {self.decay} are more than all steps")
        return self

    @property
    def learning_rate(self) -> float:
        """The peak learning rate, the default of the method where none is given."""
        if self.lr is not None:
            return self.lr
        return LORA_LR if self.method == "lora" else FULL_LR


def load_config(path: Path | None, overrides: dict[str, Any]) -> TrainConfig:
    """Returns the config of a YAML file with the overrides put over it (dots reach into `lora`).

    Raises:
        TrainError: a file that can't be read, an unknown field (the nearest name is given), a value out of range.
    """
    values = _read_yaml(path) if path else {}
    where = str(path) if path else "train config"
    for key, value in overrides.items():
        _put(values, key.split("."), value, where)
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        raise TrainError("\n".join(f"{where}: {_explain(e)}" for e in error.errors())) from None


def parse_setting(text: str) -> tuple[str, Any]:
    """Returns the key and the YAML value of `key=value`.

    Raises:
        TrainError: no `=` in the text.
    """
    key, mark, value = text.partition("=")
    if not mark:
        raise TrainError(f"--set {text}: expected key=value, for example --set max_steps=50")
    return key.strip(), yaml.safe_load(value)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainError(f"{path}: can't read the training config: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise TrainError(f"{path}: not YAML: {error}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise TrainError(f"{path}: a training config is a mapping of names to values, not {type(loaded).__name__}")
    return loaded


def _put(values: dict[str, Any], keys: list[str], value: Any, where: str) -> None:
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            raise TrainError(f"{where}: {key} is a single value, so {'.'.join(keys)} can't be set")
        values = inner
    values[keys[-1]] = value


def _explain(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = LoraConfig.model_fields if error["loc"][0] == "lora" else TrainConfig.model_fields
        return f"unknown field {place!r}{did_you_mean(str(error['loc'][-1]), known)}"
    if error["type"] == "missing":
        return f"{place!r} is missing: say which model to train, in the config or with --model"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message}, got {error['input']!r}" if place else message
