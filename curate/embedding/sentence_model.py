"""A sentence-transformers model: texts of any length to vectors, the same at any batch on one machine."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.embedding.model_files import BUILT_IN, model_folder
from curate.errors import StageError

TEXTS = 1024
"""Texts whose windows are embedded at once; bounds what is held in memory."""
_BATCH = 32
_MOST_UNKNOWN = 0.3


class SentenceModel:
    """A model on the GPU if there is one, else on one thread of the CPU, so that no sum depends on the thread count."""

    def __init__(self, ref: str, prompt: str) -> None:
        """Loads a model of a folder or the hub; ``prompt`` is put before every text.

        Raises:
            StageError: when sentence-transformers is not installed, or the folder holds no model of it.
        """
        self._model = _load(str(model_folder(ref)), ref)
        self._prompt = prompt
        tokenizer = self._model.tokenizer
        self._tokenizer = tokenizer if getattr(tokenizer, "is_fast", False) else None
        limit = self._model.max_seq_length
        taken = 0 if self._tokenizer is None else self._tokenizer.num_special_tokens_to_add()
        self._window = None if limit is None or limit > 1 << 20 else max(16, int(limit) - taken - len(prompt))

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Returns the vectors (float32[texts, size], length 1) of some texts.

        A text longer than the model reads is cut into windows, and its vector is their mean, weighted by tokens. A
        text of which the vocabulary does not know three tenths has zeros.
        """
        size = self._model.get_embedding_dimension()
        blocks = [self._block(texts[at : at + TEXTS]) for at in range(0, len(texts), TEXTS)]
        return np.concatenate([np.empty((0, size), np.float32), *blocks])

    def _block(self, texts: list[str]) -> NDArray[np.float32]:
        windows, owner, weight, known = self._windows(texts)
        found = self._model.encode(
            windows,
            batch_size=_BATCH,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
            **({"prompt": self._prompt} if self._prompt else {}),
        ).astype(np.float64)
        total = np.zeros((len(texts), found.shape[1]))
        np.add.at(total, owner, found * weight[:, None])
        length = np.sqrt((total * total).sum(axis=1, keepdims=True))
        unit: NDArray[np.float32] = (total / np.maximum(length, 1e-12) * known[:, None]).astype(np.float32)
        return unit

    def _windows(self, texts: list[str]) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        """Returns windows, the text each is of, its tokens, and which texts the vocabulary knows."""
        if self._tokenizer is None:
            return texts, np.arange(len(texts)), np.ones(len(texts)), np.ones(len(texts), np.bool_)
        coded = self._tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        windows, owner, weight = [], [], []
        known = np.ones(len(texts), np.bool_)
        unknown = self._tokenizer.unk_token_id
        for at, (text, ids, spans) in enumerate(zip(texts, coded["input_ids"], coded["offset_mapping"], strict=True)):
            known[at] = unknown is None or ids.count(unknown) < _MOST_UNKNOWN * max(1, len(ids))
            step = self._window or max(1, len(ids))
            for start in range(0, max(1, len(ids)), step):
                inside = spans[start : start + step]
                windows.append(text[inside[0][0] : inside[-1][1]] if len(ids) > step else text)
                owner.append(at)
                weight.append(max(1, len(inside)))
        return windows, np.array(owner), np.array(weight, np.float64), known


def no_library(ref: str) -> str:
    """Returns what to do where sentence-transformers is missing."""
    return (
        f"model {ref!r} needs sentence-transformers: pip install 'curate-train[semantic]'; the model {BUILT_IN!r} "
        "needs nothing"
    )


@cache
def _load(folder: str, ref: str) -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise StageError(no_library(ref)) from error
    torch.set_num_threads(1)
    try:
        return SentenceTransformer(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise StageError(f"model {ref!r} can't be loaded by sentence-transformers ({error})") from error
