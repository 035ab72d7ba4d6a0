"""Chat rows prepared with `datasets` alone: map over apply_chat_template with the assistant mask, then TRL's packing."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import datasets
from counts import report
from template import CHATML_TRAINING
from transformers import AutoTokenizer
from trl.data_utils import pack_dataset


def tokenize(batch: dict[str, list[Any]], tokenizer: Any) -> dict[str, list[list[int]]]:
    """Returns ids and labels of a batch of dialogues."""
    made = tokenizer.apply_chat_template(
        batch["messages"], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    pairs = zip(made["input_ids"], made["assistant_masks"], strict=True)
    labels = [[i if m else -100 for i, m in zip(ids, mask, strict=True)] for ids, mask in pairs]
    return {"input_ids": made["input_ids"], "labels": labels}


def main() -> None:
    """Prepares the rows and prints the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", help="JSONL")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    tokenizer.chat_template = CHATML_TRAINING
    started = time.perf_counter()
    rows = datasets.load_dataset("json", data_files=args.rows, split="train", cache_dir=str(args.cache))
    rows = rows.map(
        tokenize,
        batched=True,
        num_proc=args.processes,
        remove_columns=rows.column_names,
        fn_kwargs={"tokenizer": tokenizer},
    )
    packed = pack_dataset(rows, args.length, "bfd", {"num_proc": args.processes})
    report(packed, time.perf_counter() - started)


if __name__ == "__main__":
    main()
