"""The sample tokenizer: byte-level BPE of 8,192 ids trained on the sample texts, with a ChatML template."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from .grammar import TEMPLATES

VOCAB_SIZE = 8192
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""Tokens that no text may contain; ``<|im_end|>`` ends a turn, ``<|endoftext|>`` pads."""
MARKUP = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
"""Tokens of the template that are plain text to ``skip_special_tokens``."""
_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Words with the space before them, single digits, runs of punctuation, blanks."""
_LONGEST = 12  # bytes of one token: four Chinese characters, so that no template becomes one token


def texts(root: Path) -> Iterator[str]:
    """Yields every string of the sample files under the root, in the order of their paths."""
    for path in sorted(root.rglob("*"), key=lambda p: p.relative_to(root).as_posix()):
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as lines:
                yield from (row["text"] for row in csv.DictReader(lines))
        elif path.suffix in (".txt", ".yaml"):
            yield path.read_text(encoding="utf-8")
        elif path.suffix == ".json":
            yield from _strings(json.loads(path.read_text(encoding="utf-8")))
        elif path.suffix == ".jsonl":
            for line in path.read_text(encoding="utf-8").split("\n"):
                yield from _line_strings(line)


def _line_strings(line: str) -> Iterator[str]:
    try:
        yield from _strings(json.loads(line))
    except json.JSONDecodeError:
        yield line


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield str(name)
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _coverage() -> Iterator[str]:
    """Yields the common Chinese characters (first level of GB 2312), so that few fall to single bytes."""
    for row in range(0xB0, 0xD8):
        for cell in range(0xA1, 0xFF):
            if (row, cell) < (0xD7, 0xFA):
                yield bytes((row, cell)).decode("gb2312")


def train(root: Path) -> Tokenizer:
    """Returns the tokenizer trained on the sample files under the root; the same for the same files."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCAB_SIZE - len(SPECIAL) - len(MARKUP),
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=_LONGEST,
    )
    corpus = [*texts(root), *(char for char in _coverage() for _ in range(12))]
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in MARKUP])
    return tokenizer


def write_tokenizer(root: Path, tokenizer: Tokenizer) -> None:
    """Writes tokenizer/: tokenizer.json, its config, its special tokens and the chat template."""
    folder = root / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    special = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **special,
        "additional_special_tokens": ["<|im_start|>"],
        "clean_up_tokenization_spaces": False,
        "model_max_length": 4096,
        "padding_side": "right",
    }
    _write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=False))
    _write_text(folder / "tokenizer_config.json", json.dumps(config, indent=2))
    _write_text(folder / "special_tokens_map.json", json.dumps(special, indent=2))
    template = (TEMPLATES / "chat_template.jinja").read_text(encoding="utf-8")
    _write_text(folder / "chat_template.jinja", template.rstrip("\n"))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
