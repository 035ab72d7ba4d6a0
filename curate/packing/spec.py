"""How sequences are filled, as a recipe states it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PackSpec(BaseModel):
    """Names the length of a packed sequence and how far a document may move from its place in the stream."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: int = Field(
        ge=1,
        le=1 << 24,
        description="tokens in one packed sequence; longer documents are ineligible and counted, never cut",
    )
    window: int = Field(
        default=512,
        ge=1,
        le=1 << 24,
        description="sequences packed together; a document leaves its place in the stream by less than two windows, "
        "so smaller keeps the mix steadier and larger fills better (over 0.999 of the places at 512)",
    )
