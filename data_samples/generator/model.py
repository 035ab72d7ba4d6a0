"""The config of a tiny Llama that trains on a CPU in a minute."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer


def write_model(root: Path, tokenizer: Tokenizer) -> None:
    """Writes model/config.json: about 1.7 million parameters, ids of the sample tokenizer."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 128,
        "intermediate_size": 352,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "hidden_act": "silu",
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "initializer_range": 0.02,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        "pad_token_id": tokenizer.token_to_id("<|endoftext|>"),
        "dtype": "float32",
        "use_cache": True,
    }
    (root / "model").mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2) + "\n"
    (root / "model/config.json").write_text(text, encoding="utf-8", newline="\n")
