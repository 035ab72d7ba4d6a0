"""What a dataset mixture of another trainer says, and what it yields over datasets of known sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curate.errors import RecipeError

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Wish:
    """One dataset of a config and what its author asked for, in the config's own words."""

    name: str
    said: str
    share: float | None = None
    """The share of the whole the author asked for, where it is one."""
    aliases: tuple[str, ...] = ()
    """Other names of the dataset, such as its file."""


@dataclass(frozen=True)
class Yield:
    """Rows of each dataset that reach training in one pass of the trainer, repeats included."""

    rows: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PeerMix:
    """A config read: its datasets, and the arithmetic from their sizes to what is trained."""

    wishes: tuple[Wish, ...]
    give: Callable[[Sequence[int]], Yield]
    picks: Literal["first", "random"]
    """Which rows are taken where not all are."""


@dataclass(frozen=True)
class Dataset:
    """One source of a mixture to write down: its name, its files, rows it has, rows it gives."""

    name: str
    paths: tuple[str, ...]
    has: int
    gives: int


@dataclass(frozen=True)
class Peer:
    """Another trainer's way to say a mixture."""

    name: str
    recognizes: Callable[[Config], bool]
    read: Callable[[Config], PeerMix]
    write: Callable[[Sequence[Dataset]], dict[str, Any]]
    lost: tuple[str, ...]
    """What a mixture loses on the way there, besides its order and which rows it takes."""


def number(value: Any, where: str) -> float:
    """Returns a number from 0 up.

    Raises:
        RecipeError: for anything else.
    """
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if not 0 <= found < float("inf"):
        raise RecipeError(f"{where}: {value!r} is no number from 0 up")
    return found


def entries(value: Any, key: str) -> list[dict[str, Any]]:
    """Returns the datasets of a config's list of mappings.

    Raises:
        RecipeError: when it is none, or one of them has no path.
    """
    if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
        raise RecipeError(f"{key}: a list of datasets, each a mapping with `path`")
    for place, entry in enumerate(value):
        if not entry.get("path"):
            raise RecipeError(f"{key}.{place}: no `path`")
    return value


def files_of(entry: Config) -> tuple[str, ...]:
    """Returns the data files an entry names."""
    files = entry.get("data_files") or ()
    if isinstance(files, Mapping):
        files = [name for group in files.values() for name in ([group] if isinstance(group, str) else group)]
    return (files,) if isinstance(files, str) else tuple(files)


def title(entry: Config) -> str:
    """Returns the name of an entry: its path, or its first file where the path names a loader of files."""
    files = files_of(entry)
    return files[0] if files and entry["path"] in BUILDERS.values() else str(entry["path"])


def repeated(names: Sequence[str], kept: Sequence[int], sizes: Sequence[int], rows: Sequence[int]) -> list[str]:
    """Says which datasets repeat the few rows that were kept of them."""
    return [
        f"{name}: its {count:,} rows are the {part:,} kept of {size:,}, {count / part:.3g} times over"
        for name, part, size, count in zip(names, kept, sizes, rows, strict=True)
        if 0 < part < size and count > part
    ]


BUILDERS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "text", ".arrow": "arrow"}
"""Loaders of `datasets` by file name."""


def as_entry(dataset: Dataset) -> dict[str, Any]:
    """Returns a dataset as `load_dataset` takes it: a builder and its files."""
    suffix = "." + dataset.paths[0].rpartition(".")[2] if dataset.paths else ""
    if suffix not in BUILDERS:
        return {"path": dataset.paths[0] if dataset.paths else dataset.name}
    return {"path": BUILDERS[suffix], "data_files": list(dataset.paths)}
