"""Small packed shards written by the real shard writer, and a model small enough for a CPU."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from curate.shards import Documents, Manifest, ShardInfo, finish_dataset, write_packed, write_unpacked
from curate.shards.manifest import ChatTemplateInfo, PackingInfo, TokenizerInfo
from curate.tokens.files import read_files

SAMPLES = Path(__file__).parents[2] / "data_samples"
END = 8185
ABILITIES = ("knowledge", "service")
WORDS = ["退款", "发货", "订单", "账户", "密码", "会员", "refund", "order", "ship", "card", "phone", "email"]


@dataclass
class Chats:
    """Seeded question and answer pairs as tokens: the answer repeats the question's words, so it can be learned."""

    ids: list[np.ndarray]
    labels: list[np.ndarray]
    sources: np.ndarray

    @property
    def n_tokens(self) -> np.ndarray:
        """Tokens of each document."""
        return np.array([len(x) for x in self.ids], dtype=np.int32)

    @property
    def n_trained(self) -> np.ndarray:
        """Trained tokens of each document."""
        return np.array([int((x >= 0).sum()) for x in self.labels], dtype=np.int32)

    def gather(self, rows: np.ndarray) -> Documents:
        """Copies documents out, as the shard writer asks."""
        lengths = self.n_tokens[rows]
        names = np.stack([np.zeros(len(rows), np.uint64), rows.astype(np.uint64)], axis=1)
        return Documents(
            np.concatenate([self.ids[r] for r in rows]).astype(np.int32),
            np.concatenate([self.labels[r] for r in rows]).astype(np.int32),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            names,
            self.sources[rows].astype(np.int16),
        )


def make_chats(count: int, seed: int) -> Chats:
    """Returns conversations rendered in ChatML, the answer and its end of turn trained."""
    tokenizer = Tokenizer.from_file(str(SAMPLES / "tokenizer" / "tokenizer.json"))
    random = np.random.default_rng(seed)
    ids, labels = [], []
    for _ in range(count):
        words = " ".join(random.choice(WORDS, random.integers(2, 12)))
        prompt = tokenizer.encode(f"<|im_start|>user\n{words}<|im_end|>\n<|im_start|>assistant\n").ids
        answer = tokenizer.encode(f"{words}<|im_end|>").ids
        tail = tokenizer.encode("\n").ids
        ids.append(np.array(prompt + answer + tail))
        labels.append(np.array([-100] * len(prompt) + answer + [-100] * len(tail)))
    return Chats(ids, labels, np.arange(count) % 2)


def pack(lengths: np.ndarray, room: int) -> np.ndarray:
    """Returns bounds of sequences that take documents in order until the next one does not fit."""
    bounds, used = [0], 0
    for row, length in enumerate(lengths):
        if used and used + length > room:
            bounds.append(row)
            used = 0
        used += int(length)
    return np.array([*bounds, len(lengths)], dtype=np.int64)


def write_shards(
    root: Path,
    count: int = 48,
    length: int = 128,
    shard_bytes: int = 4096,
    seed: int = 5,
    abilities: tuple[str, ...] = ABILITIES,
) -> Path:
    """Writes an output folder as `curate run` does: train, two validation abilities, tokenizer, manifest."""
    chats = make_chats(count, seed)
    bounds = pack(chats.n_tokens, length)
    parts: dict[str, list[ShardInfo]] = {
        "train": write_packed(root / "train", chats, np.arange(count), bounds, key="t", shard_bytes=shard_bytes)
    }
    for number, ability in enumerate(abilities):
        rows = np.arange(6)
        held_out = make_chats(6, 100 + number)
        part = f"validation/{ability}"
        parts[part] = write_unpacked(root / part, held_out, rows, key=ability)
    shutil.copytree(SAMPLES / "tokenizer", root / "tokenizer")
    manifest = Manifest(
        shards={part: tuple(shards) for part, shards in parts.items()},
        sources=("calls", "general"),
        tokenizer=TokenizerInfo(name="t", digest=read_files(root / "tokenizer").digest(), engine="reference"),
        chat_template=ChatTemplateInfo(digest="0" * 32),
        packing=PackingInfo(length=length, window=1, fill=1.0, ineligible=0),
        recipe="r" * 16,
        mix=f"mix{seed}",
        eos=(END,),
    )
    for part, shards in parts.items():
        finish_dataset(root / part, shards, fingerprint=manifest.fingerprint(part), split=part.split("/")[0])
    manifest.write(root)
    return root


def write_model(folder: Path, **changes: object) -> Path:
    """Writes the config of a one-layer Llama over the sample tokenizer, without weights."""
    folder.mkdir(parents=True)
    config = json.loads((SAMPLES / "model" / "config.json").read_text())
    small = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "head_dim": 8,
        "num_attention_heads": 4,
    }
    (folder / "config.json").write_text(json.dumps({**config, **small, **changes}))
    return folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Computes in one thread: tiny models gain nothing from more, and sums keep one order."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packed shards shared by tests that only read them."""
    return write_shards(tmp_path_factory.mktemp("shards") / "demo")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model without weights."""
    return write_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def make_shards(tmp_path: Path) -> Callable[..., Path]:
    """Writes shards of one's own, to be damaged or shaped."""
    return lambda name="own", **settings: write_shards(tmp_path / name, **settings)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes the config of a tiny model with some of its numbers changed."""
    count = iter(range(100))
    return lambda **changes: write_model(tmp_path / f"model{next(count)}", **changes)
