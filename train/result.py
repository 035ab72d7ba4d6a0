"""The result of a run: validation loss per ability before and after, as result.json and as a table of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

RESULT, MODEL, MERGED, CONFIG = "result.json", "model", "model-merged", "train.json"
LEFT = ("checkpoint-*", MODEL, MERGED, RESULT, CONFIG, "metrics.jsonl")  # all that a run leaves in its folder
ALL = "all"


class AbilityLoss(BaseModel):
    """Validation loss of one ability, nats per trained token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: float
    after: float
    tokens: int


class Result(BaseModel):
    """What a training run did and reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    folder: str = Field(description="the run's folder")
    model: str = Field(description="the trained model's folder, inside the run's folder")
    data: str = Field(description="the shards' folder")
    manifest: str
    mix: str
    plan: str
    steps: int
    sequences: int = Field(description="sequences read, filler not counted")
    trainable: int = Field(description="trained parameters")
    parameters: int
    seconds: float = Field(description="wall time of training and validation since the start or resume")
    processes: int
    train_loss: float = Field(description="training loss of the last logged step")
    train_loss_by_source: dict[str, float] = Field(description="training loss per source at the last logged step")
    validation: dict[str, AbilityLoss] = Field(description="per ability, and `all` weighted by trained tokens")
    notes: tuple[str, ...] = ()
    config: dict[str, Any]

    def write(self) -> None:
        """Writes result.json into the run's folder."""
        (Path(self.folder) / RESULT).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def table(self) -> str:
        """Returns the validation losses before and after training as aligned text."""
        if not self.validation:
            return "no validation shards: nothing to compare before and after"
        width = max(len("ability"), *(len(name) for name in self.validation))
        lines = [f"{'ability':<{width}}  {'tokens':>9}  {'before':>8}  {'after':>8}  {'change':>8}"]
        for name, loss in self.validation.items():
            lines.append(
                f"{name:<{width}}  {loss.tokens:>9,}  {loss.before:>8.4f}  {loss.after:>8.4f}"
                f"  {loss.after - loss.before:>+8.4f}"
            )
        return "\n".join(lines)


def losses_of(history: list[dict[str, Any]]) -> dict[str, AbilityLoss]:
    """Returns the first and the last validation of a trainer's log history, per ability and over all."""
    evaluations = [entry for entry in history if "eval_loss" in entry]
    if not evaluations:
        return {}
    first, last = evaluations[0], evaluations[-1]
    names = [key.partition("/")[2] for key in last if key.startswith("eval_loss/")]
    losses = {
        name: AbilityLoss(
            before=first[f"eval_loss/{name}"],
            after=last[f"eval_loss/{name}"],
            tokens=int(last[f"eval_tokens/{name}"]),
        )
        for name in names
    }
    tokens = sum(loss.tokens for loss in losses.values())
    if losses:
        losses[ALL] = AbilityLoss(before=first["eval_loss"], after=last["eval_loss"], tokens=tokens)
    return losses


def last_training(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the last training line of a trainer's log history."""
    return next((entry for entry in reversed(history) if "loss" in entry), {})
