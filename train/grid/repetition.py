"""How much greedy answers repeat themselves: beside the loss, as it can fall while answers begin to loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from train.loader import IGNORED, Sequences

N = 4


def repetition(tokens: NDArray[np.int64], n: int = N) -> float:
    """Returns the share of n-grams that stood in the answer before: 0 for one that never repeats, near 1 for a loop."""
    if len(tokens) < n:
        return 0.0
    grams = np.lib.stride_tricks.sliding_window_view(tokens, n)
    return 1 - len(np.unique(grams, axis=0)) / len(grams)


def repetition_of(model: Any, rows: Sequences, count: int, longest: int, eos: tuple[int, ...]) -> float:
    """Returns the mean repetition of greedy answers to the first `count` validation rows; nan where there are none.

    A prompt is what stands before the first trained token; an answer ends at an end token or after `longest` tokens.
    """
    found = [
        repetition(answer(model, prompt, longest, eos))
        for row in range(min(count, len(rows)))
        if len(prompt := _prompt(rows, row))
    ]
    return float(np.mean(found)) if found else float("nan")


def _prompt(rows: Sequences, row: int) -> NDArray[np.int64]:
    sequence = rows.read(row)
    trained = np.flatnonzero(np.asarray(sequence.labels) != IGNORED)
    return np.asarray(sequence.input_ids[: trained[0]] if trained.size else [], dtype=np.int64)


def answer(model: Any, prompt: NDArray[np.int64], longest: int, eos: tuple[int, ...]) -> NDArray[np.int64]:
    """Returns the greedy continuation of a prompt, without its end."""
    ids = torch.from_numpy(prompt[None]).to(model.device)
    training = model.training
    model.train(False)
    with torch.no_grad():
        full = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=longest,
            do_sample=False,
            eos_token_id=list(eos) or None,
            pad_token_id=eos[0] if eos else 0,
        )
    model.train(training)
    new: NDArray[np.int64] = full[0, ids.shape[1] :].cpu().numpy()
    ends = np.flatnonzero(np.isin(new, eos))
    return new[: ends[0]] if ends.size else new
