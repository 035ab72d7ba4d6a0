"""What a recipe says about one source, what was found for it, and the pieces of work it is cut into."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from curate.rows import ROLES

Format = Literal[
    "messages",
    "sharegpt",
    "alpaca",
    "prompt_completion",
    "question_answer",
    "preference",
    "kto",
    "text",
    "utterances",
]
FORMAT_NAMES: tuple[str, ...] = get_args(Format)
FileKind = Literal["jsonl", "json", "csv", "tsv", "xlsx", "parquet", "arrow", "text"]
DROP = "drop"
"""The role name that leaves utterances of a speaker out."""


class SourceSpec(BaseModel):
    """One source of a recipe: where its files are and how to read them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Name of the source; part of every row's id, so keep it.")
    paths: tuple[str, ...] = Field(
        validation_alias=AliasChoices("path", "paths"),
        min_length=1,
        description="File, folder, glob, fsspec URL or hf://datasets/... address, or a list of them (`path:`).",
    )
    format: Format | None = Field(default=None, description="Shape of the records; detected when absent.")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Our field name -> the column of the data; detected when absent."
    )
    group_by: str | None = Field(default=None, description="Utterance tables: column that names the dialogue.")
    order_by: str | None = Field(
        default=None, description="Utterance tables: column that orders a dialogue; file order when absent."
    )
    roles: dict[str, str] = Field(
        default_factory=dict,
        description="Role name in the data -> system, user, assistant, tool, or drop (utterance tables only).",
    )
    split: Literal["file", "blank_line", "line"] = Field(
        default="file", description="Plain text: what one document is."
    )
    encoding: str | None = Field(default=None, description="Text encoding of the files; detected when absent.")
    ability: str | None = Field(default=None, description="Ability of the rows; the source's name when absent.")
    domain: bool = Field(default=False, description="Whether the rows belong to the domain being tuned for.")
    language: str | None = Field(default=None, description="Language of the rows, when all have the same.")
    profile: tuple[str, ...] = Field(default=(), description="Columns copied into the row's profile.")

    @field_validator("paths", mode="before")
    @classmethod
    def _one_path_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("encoding")
    @classmethod
    def _encoding_exists(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return codecs.lookup(value).name.removesuffix("-sig")
        except LookupError:
            raise ValueError(
                f"unknown encoding {value!r}; use utf-8, gb18030, utf-16 or another Python codec"
            ) from None

    @field_validator("roles")
    @classmethod
    def _roles_are_ours(cls, value: dict[str, str]) -> dict[str, str]:
        for theirs, ours in value.items():
            if ours not in (*ROLES, DROP):
                raise ValueError(f"role {theirs!r} is mapped to {ours!r}; use one of {', '.join((*ROLES, DROP))}")
        return value


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One input file: its path or URL, what it is, and its size in bytes as stored.

    ``encoding`` is a Python codec name, empty for binary kinds.
    """

    path: str
    kind: FileKind
    compression: Literal["", "gz", "zst"]
    size: int
    encoding: str

    @property
    def remote(self) -> bool:
        """Whether the path is a URL."""
        return "://" in self.path


@dataclass(frozen=True)
class Shape:
    """How records become rows: the format, our field name -> their column, the encodings, and a remark for the plan."""

    format: Format
    columns: dict[str, str]
    encoding: str
    note: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of work, cut by content only: file ``number`` from ``start`` to ``end``, its first line being ``line``.

    Bounds are bytes for files of lines, row groups for Parquet, record batches for Arrow; ``end`` -1 is the whole file.
    """

    number: int
    file: SourceFile
    start: int
    end: int
    line: int
