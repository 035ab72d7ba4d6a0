"""What a recipe says about one evaluation set, and what its files hold: items of a question, choices and an answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.fingerprint import FileRef

Column = Literal["question", "choices", "answer"]


class Benchmark(BaseModel):
    """One evaluation set: a path, or a path with a name and columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: FileRef = Field(description="file, folder, glob, URL or hf://datasets/… address")
    name: str | None = Field(default=None, description="name in the ledger; default the file's name without its ending")
    columns: dict[Column, str] = Field(
        default_factory=dict, description="question, choices, answer -> the column of the data; detected when absent"
    )

    @model_validator(mode="before")
    @classmethod
    def _a_path_is_enough(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _named(self) -> Self:
        """Names the set after its file, so that the name is part of its identity; files of a glob are sets each."""
        if self.name is None and not self.many:
            object.__setattr__(self, "name", stem(self.path))
        return self

    @property
    def many(self) -> bool:
        """True for a pattern, whose files are evaluation sets of their own."""
        return any(mark in self.path for mark in "*?[")


def stem(path: str) -> str:
    """Returns the last part of a path or URL without the endings of data and compression."""
    name = PurePosixPath(path.rstrip("/")).name
    for _ in range(2):
        base, dot, ending = name.rpartition(".")
        if dot and base and len(ending) <= 7:
            name = base
    return name


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an evaluation set: ``number`` counts the set's records from 1, ``line`` is its line or record in
    ``file``. ``questions`` are the texts that ask (several turns for a dialogue), ``choices`` the options.
    """

    benchmark: str
    number: int
    file: str
    line: int
    name: str
    questions: tuple[str, ...]
    choices: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def id(self) -> str:
        """``<set>#<number>``, the ledger's ``other_id``."""
        return f"{self.benchmark}#{self.number}"
