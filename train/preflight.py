"""Preflight: what would train silently wrong is refused before the first step, with the reason and the way out.

Each check takes what it looks at and either returns or raises TrainError; `sft` runs them in order, cheap ones first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.distributed.tensor import DTensor
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.sft_config import SFTConfig

from curate.errors import TrainError
from curate.shards import PackedSequence
from curate.tokens.files import read_files
from train.config import CHAT_LR_LIMIT, TrainConfig
from train.data import ShardData, TrainingData
from train.loader import IGNORED, Sequences, flatten

PACKING_AWARE = ("sdpa", "eager", "flex_attention", "flash_attention_2", "flash_attention_3")
LOOKED_AT = 4096  # sequences whose masks are looked at, evenly spaced
PROBES = ("Hello, world! 123  4567", "你好，请问您需要什么帮助？", "def f(x):\n    return x ** 2\n", "naïve café — 🙂")
LEAK = 0.01  # of the largest logit; measured: exactly 0 where borders hold (also in bfloat16), 0.2 to 0.4 where not


def check_tokenizer_files(data: ShardData) -> None:
    """Refuses an output folder whose tokenizer or template is no longer the one its tokens were made with."""
    found, expected = read_files(data.tokenizer_folder).digest(), data.manifest.tokenizer.digest
    if found != expected:
        raise TrainError(
            f"{data.tokenizer_folder}: tokenizer or chat template changed after the shards were written (digest "
            f"{found}, manifest {expected}); put the old files back or run the recipe again"
        )


def check_same_tokenizer(
    own: PreTrainedTokenizerBase | None, shards: PreTrainedTokenizerBase, config: TrainConfig
) -> None:
    """Refuses a model whose own tokenizer or chat template is not that of the shards; None has nothing to compare."""
    if own is None:
        return
    mine, theirs = own.get_vocab(), shards.get_vocab()
    differing = sorted(token for token in mine.keys() | theirs.keys() if mine.get(token) != theirs.get(token))
    if differing:
        token = differing[0]
        raise TrainError(
            f"{config.model}: its tokenizer is not the shards': {len(differing)} tokens differ, such as {token!r} "
            f"(id {mine.get(token)} in the model, {theirs.get(token)} in the shards); tokenize with this model's "
            "tokenizer (`tokenizer:` in the recipe) and run the recipe again"
        )
    for text in PROBES:
        ids = [t(text, add_special_tokens=False)["input_ids"] for t in (own, shards)]
        if ids[0] != ids[1]:
            raise TrainError(
                f"{config.model}: its tokenizer has the shards' vocabulary but cuts {text!r} into {ids[0]}, the "
                f"shards' into {ids[1]}; tokenize with this model's tokenizer and run the recipe again"
            )
    if own.chat_template and own.chat_template != shards.chat_template and not config.other_template:
        raise TrainError(
            f"{config.model}: its chat template differs from the shards', so it would answer in a form it was not "
            "trained on; run the recipe with this model's tokenizer, or set `other_template: true` if that is meant"
        )


def check_rows(data: TrainingData, special: frozenset[int]) -> tuple[int, ...]:
    """Refuses labels that are not the sequence's own, rows without a trained token, an end of turn never trained.

    Returns the token ids that end answers: the manifest's where they are trained, and special tokens that are the
    last trained token of a row (chat templates end turns with other tokens than a document's end). Every sequence is
    looked at up to 4096 of them, evenly spaced ones beyond.
    """
    ends: set[int] = set()
    for row, sequence in _look(data.train):
        _check_sequence(data.train, row, sequence)
        ends |= set(data.eos) & set(sequence.labels.tolist())
        ends |= special & set(_last_trained(sequence).tolist())
    if not ends:
        named = ", ".join(map(str, data.eos)) or "none is named"
        raise TrainError(
            f"{data.name}: the end of turn (token {named}) is never trained, so the model would never stop; "
            "check the recipe's `train_on` and the chat template"
        )
    return tuple(sorted(ends))


def special_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Returns the ids of a tokenizer's special tokens."""
    return frozenset(number for number, token in tokenizer.added_tokens_decoder.items() if token.special)


def _last_trained(sequence: PackedSequence) -> NDArray[np.int32]:
    starts = np.cumsum(sequence.seq_lengths) - sequence.seq_lengths
    places = np.where(sequence.labels != IGNORED, np.arange(len(sequence.labels)), 0)
    return np.asarray(sequence.labels[np.maximum.reduceat(places, starts)])


def _look(reader: Sequences) -> Iterator[tuple[int, PackedSequence]]:
    for row in np.unique(np.linspace(0, len(reader) - 1, min(len(reader), LOOKED_AT)).astype(np.int64)):
        yield int(row), reader.read(int(row))


def _check_sequence(reader: Sequences, row: int, sequence: PackedSequence) -> None:
    ids, labels = np.asarray(sequence.input_ids), np.asarray(sequence.labels)
    lengths = np.asarray(sequence.seq_lengths, dtype=np.int64)
    if len(labels) != len(ids) or lengths.sum() != len(ids):
        raise TrainError(
            f"sequence {row}: {len(ids)} tokens, {len(labels)} labels, documents of {lengths.sum()} tokens: the "
            "three must agree; run the recipe again"
        )
    trained = labels != IGNORED
    if (labels[trained] != ids[trained]).any():
        place = int(np.flatnonzero(trained & (labels != ids))[0])
        raise TrainError(
            f"sequence {row}: label {labels[place]} at place {place} is not its token {ids[place]}; labels are the "
            "token ids themselves or -100, never shifted"
        )
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    trained[starts] = False  # the first token of a document is never a target
    silent = np.flatnonzero(np.add.reduceat(trained, starts) == 0)
    if len(silent):
        names = [str(name) for name in np.asarray(reader.doc_ids(row))[silent[:3]]]
        raise TrainError(
            f"sequence {row}: {len(silent)} of {len(lengths)} rows have no trained token at all ({', '.join(names)}); "
            "their masks are wrong or truncation cut their answers: `curate explain` one of them"
        )


def check_lengths(data: TrainingData, model: PreTrainedModel) -> None:
    """Refuses token ids the model has no embedding for, and documents longer than its positions."""
    embeddings = next(model.get_input_embeddings().parameters()).shape[0]
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    for reader in (data.train, *data.validation.values()):
        for row, sequence in _look(reader):
            if (largest := int(np.max(sequence.input_ids))) >= embeddings:
                raise TrainError(
                    f"sequence {row} holds token {largest}, but the model has {embeddings} embeddings: this is "
                    "another model's tokenizer, or tokens were added to it; use the model's own tokenizer"
                )
            longest = int(np.max(sequence.seq_lengths))
            if positions is not None and longest > positions:
                raise TrainError(
                    f"sequence {row} holds a row of {longest} tokens, the model knows {positions} positions; add "
                    f"`truncate_history` to the recipe or lower `pack.length` to {positions}"
                )


def check_attention(model: PreTrainedModel, device: torch.device) -> None:
    """Refuses attention kernels that would let packed documents see each other, or that can't train here."""
    kernel = str(model.config._attn_implementation)
    if kernel not in PACKING_AWARE:
        raise TrainError(
            f"attention {kernel!r} ignores the borders of packed documents, so they would read each other; "
            f"use one of {', '.join(PACKING_AWARE)}"
        )
    if device.type == "cpu" and kernel not in ("sdpa", "eager"):
        raise TrainError(f"attention {kernel!r} does not train on a CPU; use sdpa")


def check_packing_holds(model: Any, vocabulary: int) -> None:
    """Refuses a model that ignores document borders: a second document's logits must not move with the first.

    Two forward passes over 32 tokens on the model itself, in its own arithmetic.
    """
    generator = np.random.RandomState(0)
    second = generator.randint(0, vocabulary, 16)
    logits = []
    model.train(False)
    for _ in range(2):
        ids = np.concatenate((generator.randint(0, vocabulary, 16), second)).astype(np.int32)
        fields = (ids, ids, np.array([16, 16], dtype=np.int32), np.zeros(2, dtype=np.int16))
        batch = flatten([PackedSequence(*fields)], np.ones(1, dtype=bool))
        known = {k: v.to(model.device) if torch.is_tensor(v) else v for k, v in batch.items()}
        del known["labels"], known["source_ids"]
        with torch.no_grad():
            logits.append(model(**known, use_cache=False).logits[0, 16:].float())
    moved = float((logits[0] - logits[1]).abs().max() / logits[0].abs().max().clamp(min=1e-12))
    if not moved <= LEAK:
        raise TrainError(
            f"{type(model).__name__} with attention {model.config._attn_implementation!r} lets packed documents read "
            f"each other: logits moved by {moved:.2g} of the largest; use sdpa, or shards that are not packed"
        )


def check_arguments(args: SFTConfig, context_parallel: bool) -> None:
    """Refuses trainer arguments under which TRL would repack, cut or pad sequences that are already packed."""
    if args.packing or args.eval_packing:
        raise TrainError("packing: the shards are packed already, and packing them again joins their documents")
    if not args.padding_free:
        raise TrainError("padding_free is off: the padded collator drops the borders of packed documents")
    if args.max_length is not None:
        raise TrainError(f"max_length={args.max_length}: would cut sequences the shards hold whole; set it to None")
    prepared = args.dataset_kwargs if isinstance(args.dataset_kwargs, dict) else {}
    if not prepared.get("skip_prepare_dataset"):
        raise TrainError("skip_prepare_dataset is off: TRL would process sequences that are ready")
    if context_parallel:
        raise TrainError(
            "context parallelism drops the attention mask, so packed documents would read each other; turn it off"
        )


def check_sharded(model: torch.nn.Module, asked: bool) -> None:
    """Refuses to go on unsharded where FSDP was asked for: on some devices it is silently ignored."""
    if asked and not any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        raise TrainError(
            "fsdp was asked for but no parameter is sharded, so this would train as plain data parallel; it needs "
            "several GPUs under torchrun or `accelerate launch`"
        )


def check_launch(fsdp: bool, processes: int) -> None:
    """Refuses FSDP in a single process, where there is nothing to shard over."""
    if fsdp and processes == 1:
        raise TrainError(
            "fsdp shards over several processes, and this is one; launch with "
            "`torchrun --nproc-per-node GPUS -m train.cli sft …`, or leave `fsdp` out"
        )


class ShardingCheck(TrainerCallback):
    """Runs `check_sharded` once the model is prepared and no step is taken."""

    def __init__(self, asked: bool) -> None:
        self.asked = asked

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: torch.nn.Module | None = None,
        **_kwargs: Any,
    ) -> None:
        """Refuses a model that should be sharded and is not."""
        if model is not None:
            check_sharded(model, self.asked)


def check_split(batch: int, micro_batch: int, processes: int) -> None:
    """Refuses a global batch that the processes can't share evenly in whole micro-batches."""
    if batch % (micro_batch * processes):
        step = micro_batch * processes
        below = batch // step * step or step
        raise TrainError(
            f"a global batch of {batch} sequences can't be shared by {processes} processes in micro-batches of "
            f"{micro_batch}; set `global_batch` to {below} or {below + step}, or change the number of processes"
        )


def advise(config: TrainConfig, own: PreTrainedTokenizerBase | None) -> list[str]:
    """Returns warnings that don't stop a run."""
    notes = []
    chat_model = own is not None and bool(own.chat_template)
    if chat_model and config.method == "full" and config.learning_rate > CHAT_LR_LIMIT:
        notes.append(
            f"a learning rate of {config.learning_rate:g} over all weights of a chat model tends to make it forget "
            f"what it could do; stay at or below {CHAT_LR_LIMIT:g}, or use `method: lora`"
        )
    return notes
