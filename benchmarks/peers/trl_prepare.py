"""TRL's own preparation of chat rows, as a user has it: SFTTrainer with the assistant mask and best-fit packing.

The model is random and tiny and never trained: preparation happens in the trainer's constructor.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import datasets
from counts import report
from template import CHATML_TRAINING
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer


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
    size = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=1, **size))
    started = time.perf_counter()
    rows = datasets.load_dataset("json", data_files=args.rows, split="train", cache_dir=str(args.cache))
    config = SFTConfig(
        output_dir=str(args.cache / "trainer"),
        max_length=args.length,
        packing=True,
        packing_strategy="bfd",
        assistant_only_loss=True,
        dataset_num_proc=args.processes,
        report_to="none",
        use_cpu=True,
        bf16=False,
    )
    trainer = SFTTrainer(model, args=config, train_dataset=rows, processing_class=tokenizer)
    seconds = time.perf_counter() - started
    report(trainer.train_dataset, seconds)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
