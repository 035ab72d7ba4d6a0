"""Talk to a trained model in the very template its shards were rendered with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import peft
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from curate.errors import TrainError
from train.config import TrainConfig
from train.models import load_model, load_shard_tokenizer, quiet_libraries
from train.result import CONFIG, MODEL

Message = dict[str, str]


@dataclass
class Chat:
    """One conversation with a model; `temperature` 0 answers greedily, above it samples from `seed`."""

    model: Any  # a causal model, or an adapter over one
    tokenizer: PreTrainedTokenizerBase
    temperature: float = 0.0
    max_new_tokens: int = 256
    seed: int = 17
    messages: list[Message] = field(default_factory=list)

    def say(self, text: str) -> str:
        """Returns the model's answer to the next user message; both join the conversation."""
        self.messages.append({"role": "user", "content": text})
        answer = self._answer()
        self.messages.append({"role": "assistant", "content": answer})
        return answer

    def _answer(self) -> str:
        tokens: Any = self.tokenizer.apply_chat_template(self.messages, add_generation_prompt=True, return_dict=True)
        ids = torch.tensor([tokens["input_ids"]], device=self.model.device)
        sampling: dict[str, Any] = {"do_sample": self.temperature > 0}
        if self.temperature > 0:
            torch.manual_seed(self.seed + len(self.messages))
            sampling["temperature"] = self.temperature
        with torch.no_grad():
            full = self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=self.max_new_tokens,
                pad_token_id=self.tokenizer.pad_token_id,
                **sampling,
            )
        new = full[0, ids.shape[1] :]
        return str(self.tokenizer.decode(new, skip_special_tokens=True)).strip()


def open_chat(folder: Path, system: str | None = None, temperature: float = 0.0, max_new_tokens: int = 256) -> Chat:
    """Returns a conversation with the model of a run's folder (or of a model folder).

    Raises:
        TrainError: no model there, or a tokenizer without a chat template.
    """
    quiet_libraries()
    place = folder / MODEL if (folder / MODEL).is_dir() else folder
    tokenizer = load_shard_tokenizer(place)
    if not tokenizer.chat_template:
        raise TrainError(f"{place}: its tokenizer has no chat template, so there is no form to talk to it in")
    model = _load(place, folder)
    model.train(False)
    if torch.cuda.is_available():
        model = model.cuda()
    messages = [{"role": "system", "content": system}] if system else []
    return Chat(model, tokenizer, temperature, max_new_tokens, messages=messages)


def _load(place: Path, run: Path) -> Any:
    if (place / "adapter_config.json").is_file():
        told = run / CONFIG
        if not told.is_file():
            raise TrainError(f"{place}: an adapter, and {told} that names its base model is missing")
        base = load_model(TrainConfig.model_validate(json.loads(told.read_text(encoding="utf-8"))["config"]))
        return peft.PeftModel.from_pretrained(base, str(place))
    if not (place / "config.json").is_file():
        raise TrainError(f"{run}: no trained model; give the --out folder of `train sft`")
    return AutoModelForCausalLM.from_pretrained(str(place), dtype=torch.float32)
