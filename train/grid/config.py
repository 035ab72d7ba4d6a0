"""What a search is told: one frozen model, read from YAML like a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.mixture import MixSpec
from curate.mixture.epochs import WARN_EPOCHS
from curate.recipe import load_settings
from train.config import TrainConfig
from train.grid.objective import Objective
from train.grid.space import Space
from train.grid.strategies import Halving, Strategy, Sweep


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AnswerSpec(_Settings):
    """The greedy answers whose repetition is measured beside the loss."""

    rows: int = Field(default=4, ge=0, description="answers for each ability and trial; 0 measures none")
    tokens: int = Field(default=48, ge=1, description="longest answer")


class GridConfig(_Settings):
    """One search for the best mixture."""

    recipe: str = Field(min_length=1, description="the recipe whose pool is mixed; it is run first where it has to be")
    output: str = Field(min_length=1, description="folder of the search; workers that name it share the search")
    space: Space = Field(default=Space(), description="the mixtures to choose from")
    strategy: Strategy = Field(default=Sweep(), description="which of them are run: `{name: sweep, …}`")
    objective: Objective = Field(default=Objective(), description="what is best")
    budget: int | None = Field(
        default=None,
        gt=0,
        description="trained tokens of every trial; needed by `reading: share`, refused by `amount`",
    )
    max_epochs: float = Field(default=WARN_EPOCHS, gt=0, le=16, description="most passes over one ability's data")
    train: TrainConfig = Field(description="the proxy and how it is trained: the keys of `train sft`'s config")
    seeds: int = Field(default=1, ge=1, description="runs of every mixture, each with its own rows and order")
    noise_seeds: int = Field(default=3, ge=3, description="runs of the equal mix, first of all: the noise floor")
    tests: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default={},
        description="downstream tests by name: JSONL files of multiple-choice items, {question, choices, answer}; every "
        "run is measured on each",
    )
    answers: AnswerSpec = Field(default=AnswerSpec(), description="greedy answers for the repetition ratio")

    @model_validator(mode="after")
    def _fits_together(self) -> GridConfig:
        if (self.space.reading == "share") != (self.budget is not None):
            raise ValueError(
                "`reading: share` needs a `budget` to share out; `reading: amount` takes fractions of each ability's "
                "data and has none"
            )
        if self.noise_seeds < self.seeds:
            raise ValueError(f"noise_seeds: {self.noise_seeds} is below seeds: {self.seeds}; the floor needs as many")
        if isinstance(self.strategy, Halving) and self.train.schedule not in ("constant", "wsd"):
            raise ValueError(
                f"halving compares runs of different lengths, and `schedule: {self.train.schedule}` shapes each by its "
                "length throughout; set `train: {schedule: constant}`, or `wsd`, which differs only at the end"
            )
        return self

    @property
    def shared(self) -> MixSpec:
        """What every mixture of the search has in common."""
        found = MixSpec(max_epochs=self.max_epochs)
        return found if self.budget is None else MixSpec(max_epochs=self.max_epochs, budget=self.budget)


def load_grid(path: Path) -> GridConfig:
    """Returns the search in a YAML file.

    Raises:
        RecipeError: for anything wrong with it: what, on which line, and the nearest known name for a typo.
    """
    return load_settings(path, "search", GridConfig)
