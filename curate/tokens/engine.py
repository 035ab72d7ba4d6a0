"""The two tokenizer engines behind one face: flat token lists from a batch of strings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
REFERENCE_BATCH = 4096
"""Texts the reference engine encodes at a time; bounds the Python objects alive at once."""


class TokenizerWarning(UserWarning):
    """The fast engine disagreed with the reference and is no longer used."""


@dataclass(frozen=True, eq=False)
class TokenLists:
    """Token ids of many texts, flat: text i owns ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: Ids
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Ids:
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def lengths(self) -> Offsets:
        """Returns the number of tokens of each text."""
        return np.diff(self.offsets)

    def same_as(self, other: TokenLists) -> bool:
        """Says whether both hold the same ids for every text."""
        return np.array_equal(self.offsets, other.offsets) and np.array_equal(self.ids, other.ids)


class Engine(Protocol):
    """Encodes a batch of strings, adding no special token."""

    name: str

    def encode(self, texts: list[str], plain: bool = False) -> TokenLists:
        """Returns the ids of each text; with ``plain``, control-token strings are ordinary text."""


def engine_json(source: str, added: list[dict[str, Any]]) -> str:
    """Returns the tokenizer.json both engines load: extra added tokens in; post-processor, truncation, padding out."""
    data = json.loads(source)
    data.update(post_processor=None, truncation=None, padding=None)
    known = {token["content"] for token in data.get("added_tokens") or []}
    data["added_tokens"] = [*(data.get("added_tokens") or []), *(t for t in added if t["content"] not in known)]
    return json.dumps(data, ensure_ascii=False)


class ReferenceEngine:
    """The ``tokenizers`` library: the definition of what is right, and the giver of character offsets."""

    def __init__(self, source: str) -> None:
        import tokenizers

        self.name = f"tokenizers {version('tokenizers')}"
        self.backend = tokenizers.Tokenizer.from_str(source)

    def encode(self, texts: list[str], plain: bool = False) -> TokenLists:
        """Returns the ids of each text; with ``plain``, control-token strings are ordinary text."""
        self.backend.encode_special_tokens = plain
        try:
            lists = [ids for start in range(0, len(texts), REFERENCE_BATCH) for ids in self._batch(texts, start)]
        finally:
            self.backend.encode_special_tokens = False
        offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum([len(ids) for ids in lists], out=offsets[1:])
        return TokenLists(np.concatenate([*lists, np.empty(0, np.int32)]), offsets)

    def _batch(self, texts: list[str], start: int) -> list[Ids]:
        batch = texts[start : start + REFERENCE_BATCH]
        encodings = self.backend.encode_batch_fast(batch, add_special_tokens=False)
        return [np.array(encoding.ids, np.int32) for encoding in encodings]

    def encode_with_offsets(self, text: str) -> tuple[Ids, npt.NDArray[np.int64]]:
        """Returns the ids of one text and an array (tokens, 2) of their character spans."""
        encoding = self.backend.encode(text, add_special_tokens=False)
        spans = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        return np.array(encoding.ids, np.int32), spans


class FastEngine:
    """The ``fastokens`` library: two flat buffers per batch and no Python object per token."""

    def __init__(self, source: str) -> None:
        import fastokens

        self.name = f"fastokens {version('fastokens')}"
        self._backend = fastokens.Tokenizer.from_json_str(source)

    def encode(self, texts: list[str], plain: bool = False) -> TokenLists:
        """Returns the ids of each text; with ``plain``, control-token strings are ordinary text."""
        ids, offsets = self._backend.encode_batch_flat(texts, split_special_tokens=plain)
        return TokenLists(np.frombuffer(ids, np.int32), np.frombuffer(offsets, np.int64))


FIXED_CORPUS = (
    "",
    " ",
    "\n",
    "\n\n\n",
    " \t \r\n  \n \u00a0\u3000x",
    "hello world",
    " Hello,  World!   It's we'll I'd THEY'RE o'clock",
    "The quick brown fox jumps over 13 lazy dogs; 1,234,567.89 (100%) #tag @name x_y-z",
    "你好，世界。今天天气怎么样？我们去公园吧！",
    "客服：您好，请问有什么可以帮您？订单号是 20240726-0001。",
    "全角ＡＢＣ１２３，．！？「」『』【】",
    "繁體中文與简体中文混排 mixed English 和 numbers 42 个",
    "日本語テキスト、かな漢字 한국어 텍스트 русский текст العربية עברית ไทย हिन्दी",
    "😀😃👍🏽👩‍👩‍👧‍👦🇨🇳 emoji️ ☎️ 1️⃣",
    "e\u0301 \u00e9 \ufb01 \u2126 \u1e9b\u0323 \u200b\u200d\ufeff\u00ad",
    "def f(x: int) -> int:\n    if x:\n\treturn x**2  # square\n\n\nclass A:\n    pass\n",
    '{"name": "查询", "arguments": {"a": [1, 2.5, null], "b": "x\\ny"}}',
    "https://example.com/a?b=c&d=%20#e\n<tool_call>\n</tool_call><think>\n\n</think>",
    "\x00\x01\x7f\x85\u2028\u2029 control",
    "a" * 300 + " " * 70 + "\n" * 20 + "=" * 80 + "的" * 90,
    "𠀀𠮷𡃁 rare 汉字 and ﷽",
)
"""Texts on which the fast engine must equal the reference before it is used for a tokenizer."""


def fixed_corpus(control_tokens: tuple[str, ...]) -> list[str]:
    """Returns the fixed corpus, and texts with this tokenizer's own control tokens between them."""
    tokens = control_tokens[:64]
    glued = [f"{a}{token}{b}" for token in tokens for a, b in (("", ""), (" 前 ", " after "), ("x\n", "\n\ny"))]
    return [*FIXED_CORPUS, *glued, "".join(tokens), " ".join(tokens), "".join(t[:-1] for t in tokens)]
