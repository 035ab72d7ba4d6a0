"""The recipe's model: sources, stages, split, mix, tokenization, packing, output."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator

from curate.errors import StoreError
from curate.fingerprint import FileRef
from curate.mixture import MixSpec
from curate.packing import PackSpec
from curate.places import check_url
from curate.sources import SourceSpec
from curate.stage import Stage
from curate.steps.spec import SplitSpec, TokenizeSpec


class Recipe(BaseModel):
    """One recipe, validated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, pattern=r"^[\w][\w.-]*$", description="the name of what is made")
    seed: int = Field(default=17, ge=0, description="decides the split and the mixture's ranks and order")
    tokenizer: FileRef | None = Field(
        default=None, description="a local folder or a Hugging Face id; without one the run ends with cleaned rows"
    )
    sources: tuple[SourceSpec, ...] = Field(min_length=1, description="where rows come from")
    stages: tuple[SerializeAsAny[Stage], ...] = Field(default=(), description="what happens to rows, in order")
    split: SplitSpec = Field(default=SplitSpec(), description="validation rows")
    tokenize: TokenizeSpec = Field(default=TokenizeSpec(), description="tokens and masks")
    mix: MixSpec = Field(
        default=MixSpec(),
        description="how much of each ability is trained, or the path of a file that says it; default: every row once",
    )
    pack: PackSpec = Field(default=PackSpec(length=2048), description="how documents share sequences")
    output: str = Field(min_length=1, description="the folder or URL the result is put in")
    store: str = Field(default=".curate/store", description="the folder or URL finished steps are kept in")
    max_quarantine: float = Field(
        default=0.05, ge=0, le=1, description="share of input records in quarantine above which the run exits with 3"
    )

    @field_validator("output", "store")
    @classmethod
    def _no_credentials(cls, name: str) -> str:
        try:
            check_url(name)
        except StoreError as error:
            raise ValueError(str(error)) from None
        return name
