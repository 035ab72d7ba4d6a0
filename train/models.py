"""Models and tokenizers by what the user named: a folder, a hub id, a GGUF file, or an architecture to start afresh."""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)

from curate.errors import TrainError
from train.config import TrainConfig

WEIGHT_FILES = ("*.safetensors", "*.bin", "*.safetensors.index.json")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from: `place` is a folder or hub id, `gguf` a file in it, `fresh` asks for random weights."""

    place: str
    gguf: str | None = None
    fresh: bool = False
    has_tokenizer: bool = True


def locate(name: str) -> ModelSource:
    """Returns the source a model name means.

    Raises:
        TrainError: a path that holds no model, or a folder with several GGUF files.
    """
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise TrainError(f"{name}: not a model; name a folder, a hub id or a .gguf file")
        return ModelSource(str(path.parent), gguf=path.name)
    if not path.is_dir():
        if name.startswith(("/", ".", "~")) or name.count("/") > 1:
            raise TrainError(f"{name}: no such model folder")
        return ModelSource(name)
    has_tokenizer = any((path / file).is_file() for file in TOKENIZER_FILES)
    if (path / "config.json").is_file():
        fresh = not any(any(path.glob(pattern)) for pattern in WEIGHT_FILES)
        return ModelSource(str(path), fresh=fresh, has_tokenizer=has_tokenizer)
    files = sorted(file.name for file in path.glob("*.gguf"))
    if len(files) != 1:
        held = f"several GGUF files ({', '.join(files)}); name one of them" if files else "no config.json"
        raise TrainError(f"{name}: the folder holds {held}")
    return ModelSource(str(path), gguf=files[0])


def quiet_libraries() -> None:
    """Keeps the libraries' progress bars and advice off the user's terminal."""
    chatter: Any = transformers.utils.logging
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()
    logging.getLogger("trl").setLevel(logging.ERROR)


def load_model(config: TrainConfig) -> PreTrainedModel:
    """Returns the model with float32 weights and the attention kernel of the config.

    Raises:
        TrainError: a model that can't be loaded, or an adapter asked for over random weights.
    """
    source = locate(config.model)
    attention = choose_attention(config)
    try:
        if source.fresh:
            return _fresh(source, config, attention)
        model = AutoModelForCausalLM.from_pretrained(
            source.place,
            dtype=torch.float32,
            attn_implementation=attention,
            trust_remote_code=config.trust_remote_code,
            **_gguf(source),
        )
        return _plain(model) if source.gguf else model
    except (OSError, ValueError, ImportError) as error:
        raise TrainError(f"{config.model}: can't load the model: {_first_line(error)}") from error


def _plain(model: Any) -> PreTrainedModel:
    """Returns a model read from GGUF without the marks of quantization: its weights are float32, yet transformers
    refuses to train or save what it thinks is quantized.
    """
    model.hf_quantizer = None
    model.is_quantized = False
    vars(model).pop("quantization_method", None)
    for module in model.modules():
        settings = getattr(module, "config", None)
        for mark in ("quantization_config", "_is_quantized"):
            if hasattr(settings, mark):
                delattr(settings, mark)
    return model


def _fresh(source: ModelSource, config: TrainConfig, attention: str) -> PreTrainedModel:
    if config.method == "lora":
        raise TrainError(f"{source.place}: holds no weights, and LoRA over random weights learns nothing; use full")
    settings = AutoConfig.from_pretrained(source.place, trust_remote_code=config.trust_remote_code)
    set_seed(config.seed)
    build: Any = AutoModelForCausalLM.from_config
    return build(
        settings, attn_implementation=attention, dtype=torch.float32, trust_remote_code=config.trust_remote_code
    )


def load_own_tokenizer(config: TrainConfig) -> PreTrainedTokenizerBase | None:
    """Returns the tokenizer that comes with the model, or None where the folder holds none.

    Raises:
        TrainError: a tokenizer that can't be loaded.
    """
    source = locate(config.model)
    if not source.has_tokenizer:
        return None
    try:
        return AutoTokenizer.from_pretrained(source.place, trust_remote_code=config.trust_remote_code, **_gguf(source))
    except (OSError, ValueError, ImportError) as error:
        raise TrainError(f"{config.model}: can't load the model's tokenizer: {_first_line(error)}") from error


def load_shard_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Returns the tokenizer stored with the shards, its end of text as padding where it names none.

    Raises:
        TrainError: a folder without a tokenizer.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
    except (OSError, ValueError) as error:
        raise TrainError(f"{folder}: can't load the shards' tokenizer: {_first_line(error)}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def choose_attention(config: TrainConfig) -> str:
    """Returns the attention kernel asked for; `auto` takes the fastest one that keeps packed documents apart."""
    if config.attn_implementation != "auto":
        return config.attn_implementation
    flash = torch.cuda.is_available() and importlib.util.find_spec("flash_attn") is not None
    return "flash_attention_2" if flash and runs_bfloat16(config) else "sdpa"


def runs_bfloat16(config: TrainConfig) -> bool:
    """Tells whether the forward pass runs in bfloat16: as asked, or where a GPU has it."""
    if config.dtype == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return config.dtype == "bfloat16"


def _gguf(source: ModelSource) -> dict[str, Any]:
    return {"gguf_file": source.gguf} if source.gguf else {}


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
