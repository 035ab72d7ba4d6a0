"""The sample tokenizer and model: three loaders agree, text comes back, the template renders."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import fastokens
import pytest
import tokenizers

ROOT = Path(__file__).parents[2] / "data_samples"
FILE = ROOT / "tokenizer/tokenizer.json"
ODD = [
    "", " ", "\n\n  \n", "héllo wörld", "😀👩\u200d👩\u200d👧", "\u200b\ufeff", "ＡＢＣ１２３", "龘靐齉", "it's I'LL", "a" * 300,
    "<|im_start|>user\nhi<|im_end|>\n", "<tool_call>{}</tool_call>", "<|im_end", "١٢٣", "हिन्दी", "x\r\ny\t\tz", "\x00\x85é",
]  # fmt: skip


@cache
def _texts() -> list[str]:
    """Returns the raw lines of every sample file, and odd strings."""
    paths = sorted(p for p in ROOT.rglob("*") if p.suffix in (".jsonl", ".json", ".csv", ".txt", ".md"))
    paths = [p for p in paths if p.parent.name not in ("tokenizer", "templates")]
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").split("\n")]
    assert len(lines) > 5000
    return ODD + lines


@cache
def _reference() -> list[list[int]]:
    tokenizer = tokenizers.Tokenizer.from_file(str(FILE))
    return [e.ids for e in tokenizer.encode_batch(_texts(), add_special_tokens=False)]


@cache
def _auto() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(ROOT / "tokenizer")


def test_text_comes_back() -> None:
    """Decoding the ids of any text gives the text: there is no normalizer."""
    tokenizer = tokenizers.Tokenizer.from_file(str(FILE))
    assert tokenizer.normalizer is None
    assert tokenizer.decode_batch(_reference(), skip_special_tokens=False) == _texts()


def test_vocabulary_is_8192_with_the_template_tokens_last() -> None:
    """Ids are dense, the special and markup tokens stand at the end, each one id."""
    tokenizer = tokenizers.Tokenizer.from_file(str(FILE))
    assert sorted(tokenizer.get_vocab().values()) == list(range(8192))
    added = tokenizer.get_added_tokens_decoder()
    assert sorted(added) == list(range(8183, 8192))
    assert [added[i].content for i in range(8183, 8186)] == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    assert [added[i].special for i in sorted(added)] == [True] * 3 + [False] * 6


def test_the_fast_engine_gives_the_same_ids() -> None:
    """Fastokens encodes every sample line as the reference does."""
    tokenizer = fastokens.Tokenizer.from_file(str(FILE))
    fast = [list(getattr(ids, "ids", ids)) for ids in tokenizer.encode_batch(_texts())]
    assert fast == _reference()


def test_auto_tokenizer_gives_the_same_ids() -> None:
    """Transformers loads the folder and encodes every sample line as the reference does."""
    assert _auto()(_texts(), add_special_tokens=False)["input_ids"] == _reference()


def test_auto_tokenizer_knows_the_special_tokens() -> None:
    """The end of a turn is the end-of-sequence token, padding is another, nothing begins a sequence."""
    auto = _auto()
    assert (auto.eos_token, auto.pad_token, auto.bos_token) == ("<|im_end|>", "<|endoftext|>", None)
    assert auto("您好").input_ids == auto("您好", add_special_tokens=False).input_ids


def test_the_template_renders_a_chat() -> None:
    """System, user and assistant turns are framed; no system prompt is made up; a prompt is a prefix of the answer."""
    chat = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "您好。"}]
    render = _auto().apply_chat_template
    full = "<|im_start|>user\n你好<|im_end|>\n<|im_start|>assistant\n您好。<|im_end|>\n"
    assert render(chat, tokenize=False) == full
    assert full.startswith(render(chat[:1], tokenize=False, add_generation_prompt=True))
    system = [{"role": "system", "content": "s"}, *chat]
    assert render(system, tokenize=False) == "<|im_start|>system\ns<|im_end|>\n" + full


def test_the_template_renders_tools() -> None:
    """Calls stand in tool_call tags, results side by side in one user turn, reasoning in think tags."""
    call = {"type": "function", "function": {"name": "f", "arguments": {"城": 1}}}
    chat = [
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": None, "tool_calls": [call, call]},
        {"role": "tool", "content": "a"},
        {"role": "tool", "content": "b"},
        {"role": "assistant", "content": "done", "reasoning_content": "why"},
    ]
    text = _auto().apply_chat_template(chat, tools=[{"type": "function", "function": {"name": "f"}}], tokenize=False)
    one = '<tool_call>\n{"name": "f", "arguments": {"城": 1}}\n</tool_call>'
    assert text.startswith("<|im_start|>system\n# Tools\n")
    assert f"<|im_start|>assistant\n{one}\n{one}<|im_end|>\n" in text
    results = "<tool_response>\na\n</tool_response>\n<tool_response>\nb\n</tool_response>"
    assert f"<|im_start|>user\n{results}<|im_end|>\n" in text
    assert text.endswith("<|im_start|>assistant\n<think>\nwhy\n</think>\n\ndone<|im_end|>\n")


def test_the_template_renders_every_good_tool_dialogue() -> None:
    """All tool dialogues render, their arguments as text or as objects, to the same kind of JSON."""
    lines = (ROOT / "tools/tool_calls.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        text = _auto().apply_chat_template(row["messages"], tools=row["tools"] or None, tokenize=False)
        calls = sum(len(m.get("tool_calls") or ()) for m in row["messages"])
        assert text.count('"arguments": {"') >= calls


def test_the_model_config_fits_the_tokenizer() -> None:
    """A model of 1 to 3 million parameters is built from the config, its ids those of the tokenizer."""
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.from_pretrained(ROOT / "model")
    model = transformers.AutoModelForCausalLM.from_config(config)
    assert 1_000_000 < sum(p.numel() for p in model.parameters()) < 3_000_000
    assert (config.eos_token_id, config.pad_token_id) == (_auto().eos_token_id, _auto().pad_token_id)
    assert config.vocab_size == len(_auto())
