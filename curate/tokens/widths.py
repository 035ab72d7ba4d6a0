"""Widths: how many bytes of the text each token id stands for, where a tokenizer makes that a constant.

Byte-level BPE cuts a text's bytes into tokens and changes none of them, so one encoding tells where every token begins
and ends: the running sum of widths. Tokenizers that rewrite the text (other normalizers, prefix spaces) have no widths.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.arrow import series_of

Widths = npt.NDArray[np.int32]


def token_widths(source: str) -> tuple[Widths, bool] | None:
    """Returns the width of each id of a tokenizer.json, and whether texts must be in Unicode's NFC; None where ids
    have no constant width.
    """
    data = json.loads(source)
    if data["model"].get("type") != "BPE" or not _byte_level(data.get("pre_tokenizer")):
        return None
    normal = _normal_form(data.get("normalizer"))
    affixed = data["model"].get("continuing_subword_prefix") or data["model"].get("end_of_word_suffix")
    if normal is None or affixed or data["model"].get("byte_fallback"):
        return None
    vocabulary: dict[str, int] = data["model"]["vocab"]
    added: list[dict[str, Any]] = data.get("added_tokens") or []
    if any(token.get("lstrip") or token.get("rstrip") for token in added):
        return None
    widths = np.zeros(1 + max([*vocabulary.values(), *(t["id"] for t in added)]), np.int32)
    widths[list(vocabulary.values())] = [len(piece) for piece in vocabulary]
    for token in added:
        widths[token["id"]] = len(token["content"].encode())
    return widths, normal == "NFC"


def _byte_level(pre_tokenizer: dict[str, Any] | None) -> bool:
    """Says whether the last thing done to a piece is its spelling byte by byte, no blank put in front."""
    parts = _sequence(pre_tokenizer, "pretokenizers")
    spelled = [part for part in parts if part["type"] == "ByteLevel"]
    return bool(spelled) and not any(part.get("add_prefix_space") for part in spelled) and _all_keep(parts)


def _all_keep(parts: list[dict[str, Any]]) -> bool:
    """Says whether every splitter keeps what it splits at."""
    keeping = all(part.get("behavior") != "Removed" for part in parts)
    return keeping and {part["type"] for part in parts} <= {"ByteLevel", "Split", "Digits", "Punctuation"}


def _normal_form(normalizer: dict[str, Any] | None) -> str | None:
    """Returns "" for no normalizer, "NFC", or None for any other."""
    parts = _sequence(normalizer, "normalizers")
    if not parts:
        return ""
    return "NFC" if [part["type"] for part in parts] == ["NFC"] else None


def _sequence(part: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    if part is None:
        return []
    return [inner for p in part[name] for inner in _sequence(p, name)] if part["type"] == "Sequence" else [part]


def all_normal(texts: pa.LargeStringArray) -> bool:
    """Says whether every text is in NFC."""
    series = series_of(texts)
    return bool((series.str.normalize("NFC") == series).all())
