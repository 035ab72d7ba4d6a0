"""What a recipe says of the split and of tokens: the specs of the steps that follow the stages."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SplitSpec(BaseModel):
    """How many rows are held out for validation, as whole groups."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validation: int = Field(default=200, ge=0, description="validation rows for each ability; 0 = no validation set")
    max_share: float = Field(
        default=0.2, gt=0, lt=1, description="a small ability gives at most this share of its rows instead"
    )


class TokenizeSpec(BaseModel):
    """How rows become tokens and labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train_on: Literal["all", "last"] = Field(
        default="all", description="which assistant turns of a dialogue are trained: all, or the last only"
    )
    control_tokens: Literal["drop", "split", "allow"] = Field(
        default="drop",
        description="a control-token string inside the data: drop the row, tokenize it as plain text, or allow it",
    )
    engine: Literal["auto", "reference"] = Field(
        default="auto", description="auto: the fast engine where it is proven equal; reference: always the reference"
    )
