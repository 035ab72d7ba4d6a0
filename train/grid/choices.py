"""Choices: the options of a test as tokens, and how well a model tells the right ones.

Every option is scored as the answer to its question by the mean log-probability of its own tokens, the end of its turn
not among them, so that long options are not punished (Brown et al. 2020, section 2.4; `acc_norm` of
lm-evaluation-harness divides by bytes instead). The scores of one question become probabilities by a softmax: the choice
loss is the mean negative log-probability of the right option. Unlike accuracy it moves with every step of a small model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import torch
import xxhash
from numpy.typing import NDArray
from scipy.special import logsumexp

from curate.chat import encode_rows
from curate.errors import TrainError
from curate.mixing import Mixing
from curate.rows import conform
from curate.shards import PackedSequence
from curate.tokens import load_tokenizer
from train.grid.exam import Exam
from train.loader import IGNORED, Batch, flatten, validation_batches

Array = NDArray[np.float64]
VERSION = 1
"""Of the score: another one is another measurement."""


@dataclass(frozen=True)
class Grade:
    """What a model reached on a test: the choice loss, and the share of questions whose right option scores highest."""

    loss: float
    accuracy: float
    questions: int


@dataclass(frozen=True)
class Choices:
    """A test as a model reads it: each option as the answer to its question, the right one of a question first."""

    sequences: tuple[PackedSequence, ...]
    """A dialogue an option, laid out as a training row is; trained are the option's own tokens, which are scored."""
    counts: NDArray[np.int64]
    """Options of each question."""

    @cached_property
    def digest(self) -> str:
        """Of the tokens, of which are scored, and of how: what a grade is a grade on, whatever the test is called."""
        found = xxhash.xxh3_128(f"choices {VERSION}".encode())
        tokens = [part for sequence in self.sequences for part in (sequence.input_ids, sequence.labels)]
        for part in (self.counts.astype(np.int32), *tokens):
            found.update(np.ascontiguousarray(part, dtype="<i4").tobytes())
            found.update(part.size.to_bytes(8, "little"))
        return found.hexdigest()

    @property
    def chance(self) -> Grade:
        """What is reached by one who knows nothing."""
        return Grade(float(np.log(self.counts).mean()), float((1 / self.counts).mean()), len(self.counts))


def render(exam: Exam, mixing: Mixing) -> Choices:
    """Returns a test in the chat template and tokens of a pool; control tokens in it are ordinary text.

    Raises:
        TrainError: an item the template refuses, or one longer than a sequence of the recipe, with its line.
    """
    tokenizer = load_tokenizer(str(mixing.recipe.tokenizer), engine=mixing.recipe.tokenize.engine)
    lines = [item.line for item in exam.items for _ in item.options]
    rows = [_dialogue(item.question, option) for item in exam.items for option in item.options]
    encoded = encode_rows(conform(pl.DataFrame(rows)), tokenizer, control_tokens="split")
    if encoded.drops.height:
        row, reason, detail = encoded.drops.row(0)
        why = f"{reason}: {detail}" if detail else reason
        raise TrainError(f"{exam.path}:{lines[row]}: can't be rendered as a dialogue ({why}); leave the item out")
    lengths = np.diff(encoded.offsets)
    longest = int(np.argmax(lengths))
    if lengths[longest] > mixing.longest:
        raise TrainError(
            f"{exam.path}:{lines[longest]}: the question with an option is {lengths[longest]} tokens long, more than the "
            f"{mixing.longest} of a sequence; leave the item out, or raise `pack: {{length: …}}` in the recipe"
        )
    cuts = encoded.offsets[1:-1]
    pairs = zip(np.split(encoded.input_ids, cuts), np.split(encoded.labels, cuts), strict=True)
    counts = np.array([len(item.options) for item in exam.items], dtype=np.int64)
    controls = [number for token in tokenizer.control_tokens if (number := tokenizer.token_id(token)) is not None]
    return Choices(tuple(_sequence(ids, _without_end(ids, labels, controls)) for ids, labels in pairs), counts)


def _dialogue(question: str, option: str) -> dict[str, object]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": option}]
    return {"kind": "chat", "messages": turns}


def _without_end(ids: NDArray[np.int32], labels: NDArray[np.int32], controls: list[int]) -> NDArray[np.int32]:
    """Returns the labels without the end of the turn, which is the same behind every option: it would favour short ones."""
    trained = np.flatnonzero(labels != IGNORED)
    ends = np.flatnonzero(np.isin(ids[trained], controls))
    first = len(trained) if not ends.size else int(ends[-1])
    while first - 1 in ends:
        first -= 1
    return np.where(np.isin(np.arange(len(ids)), trained[first:]), np.int32(IGNORED), labels)


def _sequence(ids: NDArray[np.int32], labels: NDArray[np.int32]) -> PackedSequence:
    return PackedSequence(ids, labels, np.array([len(ids)], dtype=np.int32), np.zeros(1, dtype=np.int16))


def examine(choices: Choices, losses: Callable[[Batch], torch.Tensor], budget: int) -> Grade:
    """Returns the grade of a model; `losses` gives its loss of each trained token of a flat batch, in order.

    Options are read in batches of at most `budget` tokens, always the same ones.
    """
    lengths = [len(sequence.input_ids) for sequence in choices.sequences]
    scores = [_scores([choices.sequences[row] for row in rows], losses) for rows in validation_batches(lengths, budget)]
    return grade(np.concatenate(scores), choices.counts)


def _scores(sequences: list[PackedSequence], losses: Callable[[Batch], torch.Tensor]) -> Array:
    """Returns the mean log-probability of the scored tokens of each sequence."""
    scored = [int(np.count_nonzero(sequence.labels[1:] != IGNORED)) for sequence in sequences]
    found = losses(flatten(sequences, np.ones(len(sequences), dtype=bool))).cpu().double().numpy()
    return np.array([-part.mean() for part in np.split(found, np.cumsum(scored)[:-1])])


def grade(scores: Array, counts: NDArray[np.int64]) -> Grade:
    """Returns the grade of the scores of all options [sum of counts], the right one first of each question's.

    A question whose right option only ties with another counts as missed.
    """
    parts = np.split(np.asarray(scores, dtype=np.float64), np.cumsum(counts)[:-1])
    losses = [float(logsumexp(part) - part[0]) for part in parts]
    hits = [bool(part[0] > part[1:].max()) for part in parts]
    return Grade(float(np.mean(losses)), float(np.mean(hits)), len(parts))
