"""Checkpoints that know their data: each carries the plan it was read by, and resuming refuses any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from curate.errors import TrainError
from train.data import ShardData
from train.order import Plan

GUARD = "plan.json"


def facts(data: ShardData, plan: Plan) -> dict[str, Any]:
    """Returns what ties a run to its data: the hashes of manifest, mix and reading order, and the skip list."""
    return {
        "manifest": data.manifest.hash,
        "mix": data.manifest.mix,
        "plan": plan.hash,
        "skip": [list(span) for span in plan.skip],
    }


def find_last(folder: Path) -> Path | None:
    """Returns the last complete checkpoint of a run, or None; the guard is written last, so it marks completeness."""
    found = [path.parent for path in folder.glob(f"checkpoint-*/{GUARD}")]
    return max(found, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """Returns the optimizer step a checkpoint was taken at."""
    return int(checkpoint.name.rpartition("-")[2])


def check_guard(checkpoint: Path, data: ShardData, plan: Plan) -> None:
    """Refuses to resume over other data, another order, or a skip list that differs in what was already read.

    Raises:
        TrainError: naming what differs.
    """
    saved = json.loads((checkpoint / GUARD).read_text(encoding="utf-8"))
    if saved["manifest"] != data.manifest.hash:
        raise TrainError(
            f"{checkpoint}: was trained on shards with manifest {saved['manifest']} (mix {saved['mix']}), but "
            f"{data.folder} has {data.manifest.hash} (mix {data.manifest.mix}); resume on the same shards, or start "
            "a new run with another --out"
        )
    if saved["plan"] != plan.hash:
        raise TrainError(
            f"{checkpoint}: was read in the order {saved['plan']}, this config asks for {plan.hash}; `seed`, "
            "`batch_tokens`, `global_batch` and `micro_batch` must stay as they were, or start a new run with another --out"
        )
    step = step_of(checkpoint)
    before = Plan(plan.segments, plan.batch, plan.seed, plan.data, plan.wanted, tuple(map(tuple, saved["skip"])))
    if before.spans_before(step) != plan.spans_before(step):
        raise TrainError(
            f"{checkpoint}: skipped the batches {list(before.spans_before(step))} up to step {step}, this config "
            f"skips {list(plan.spans_before(step))}; only batches not yet reached may be added to `skip`"
        )


class GuardWriter(TrainerCallback):
    """Writes the guard into each checkpoint after everything else is in it."""

    def __init__(self, data: ShardData, plan: Plan) -> None:
        self.facts = facts(data, plan)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: Any) -> None:
        """Marks the checkpoint just written as complete."""
        if state.is_world_process_zero:
            target = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / GUARD
            target.write_text(json.dumps(self.facts, indent=2) + "\n", encoding="utf-8")
