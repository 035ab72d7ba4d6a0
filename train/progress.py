"""What a run says while it goes: lines of metrics.jsonl, and one progress note for each logged step."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from curate.errors import TrainError

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Progress:
    """Where a run stands: step of steps, last training loss, seconds spent since it started or resumed."""

    step: int
    steps: int
    loss: float
    seconds: float

    @property
    def text(self) -> str:
        """The state as one short line."""
        return f"step {self.step}/{self.steps}  loss {self.loss:.4f}  {self.seconds:.0f} s"


Listener = Callable[[Progress], None]


class MetricsLog(TrainerCallback):
    """Appends every log of the trainer to metrics.jsonl; on resume the lines past the checkpoint are cut first."""

    def __init__(self, folder: Path, header: dict[str, Any], listener: Listener | None) -> None:
        self.path, self.header, self.listener = folder / METRICS, header, listener
        self.started = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: Any
    ) -> None:
        """Starts the file with the hashes of data and order, or cuts it back to the resumed step."""
        self.started = time.monotonic()
        if not state.is_world_process_zero:
            return
        kept = _lines_until(self.path, state.global_step) if state.global_step else []
        lines = kept or [json.dumps(self.header)]
        self.path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_kwargs: Any,
    ) -> None:
        """Appends one line, and tells the listener about training steps.

        Raises:
            TrainError: the loss is no longer a number; every process sees it and stops.
        """
        if logs and not math.isfinite(logs.get("loss", 0.0)):
            raise TrainError(
                f"step {state.global_step}: the loss is {logs['loss']}; lower `lr`, and go on from a checkpoint before "
                "it, or leave the batch out with `skip`"
            )
        if not state.is_world_process_zero or not logs:
            return
        with self.path.open("a", encoding="utf-8") as file:
            known = {name: value for name, value in logs.items() if name != "epoch"}  # the trainer sees one long epoch
            file.write(json.dumps({"step": state.global_step, **known}) + "\n")
        if self.listener is not None and "loss" in logs:
            seconds = time.monotonic() - self.started
            self.listener(Progress(state.global_step, state.max_steps, logs["loss"], seconds))


def _lines_until(path: Path, step: int) -> list[str]:
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if json.loads(line).get("step", 0) <= step]


class Validate(TrainerCallback):
    """Asks for validation every so many steps (0: none between) and after the last one; None never asks."""

    def __init__(self, every: int | None) -> None:
        self.every = every

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_kwargs: Any
    ) -> TrainerControl:
        """Sets the trainer's wish to evaluate."""
        if self.every is not None:
            due = self.every > 0 and state.global_step % self.every == 0
            control.should_evaluate = due or state.global_step >= state.max_steps
        return control
