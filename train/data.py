"""The output folder of a curation run as training sees it: the manifest, and a reader for each part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from curate.errors import StoreError, TrainError
from curate.shards import Manifest, ShardReader, verify
from train.loader import Sequences

TRAIN, VALIDATION, TOKENIZER, LOCK = "train", "validation", "tokenizer", "mix.lock.json"


class TrainingData(Protocol):
    """What a trainer reads, whether it lies in shards or is looked up in a pool."""

    @property
    def name(self) -> str:
        """What messages call the training sequences."""

    @property
    def feed(self) -> Path | Sequences:
        """The training sequences, or the folder of shards every reading process opens for itself."""

    @property
    def train(self) -> Sequences:
        """The training sequences."""

    @property
    def validation(self) -> Mapping[str, Sequences]:
        """The validation rows of each ability, one document a sequence."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources, by number."""

    @property
    def length(self) -> int:
        """Tokens a packed sequence can hold."""

    @property
    def eos(self) -> tuple[int, ...]:
        """Token ids that end an answer."""


@dataclass(frozen=True)
class ShardData:
    """One output folder of `curate run`, opened."""

    folder: Path
    manifest: Manifest

    @property
    def train_folder(self) -> Path:
        """The folder of the training shards."""
        return self.folder / TRAIN

    @property
    def tokenizer_folder(self) -> Path:
        """The folder of the tokenizer the shards were made with."""
        return self.folder / TOKENIZER

    @cached_property
    def train(self) -> ShardReader:
        """The reader of the training sequences."""
        return ShardReader.open(self.train_folder)

    @cached_property
    def validation(self) -> dict[str, ShardReader]:
        """A reader for each validation ability that holds rows, in name order."""
        parts = sorted(part for part in self.manifest.shards if part.startswith(f"{VALIDATION}/"))
        readers = {part.partition("/")[2]: ShardReader.open(self.folder / part) for part in parts}
        return {ability: reader for ability, reader in readers.items() if len(reader)}

    @property
    def name(self) -> str:
        """The folder of the training shards, as text."""
        return str(self.train_folder)

    @property
    def feed(self) -> Path:
        """The folder of the training shards: each process that reads ahead opens it for itself."""
        return self.train_folder

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources, by number."""
        return self.manifest.sources

    @property
    def length(self) -> int:
        """Tokens a packed sequence can hold."""
        return self.manifest.packing.length

    @property
    def eos(self) -> tuple[int, ...]:
        """Token ids that end an answer."""
        return self.manifest.eos

    @property
    def passes(self) -> dict[str, float]:
        """How often the mixture passes over each of its groups, from its lock; empty where the shards have none."""
        lock = self.folder / LOCK
        groups = json.loads(lock.read_text(encoding="utf-8"))["groups"] if lock.is_file() else []
        return {group["name"]: group["epochs"] for group in groups}

    def rows(self, part: str) -> tuple[int, ...]:
        """Returns the sequences in each shard file of a part, as the manifest lists them."""
        return tuple(shard.rows for shard in self.manifest.shards.get(part, ()))

    @property
    def tokens(self) -> int:
        """Tokens in the training shards."""
        return sum(shard.tokens for shard in self.manifest.shards[TRAIN])


def open_shards(folder: Path, verified: bool = False) -> ShardData:
    """Opens the output folder of a curation run; `verified` hashes every shard file first.

    Raises:
        TrainError: no manifest, a damaged one, or shards that are not those it lists.
    """
    try:
        data = ShardData(folder, verify(folder) if verified else Manifest.read(folder))
        if not sum(data.rows(TRAIN)):
            raise TrainError(f"{folder}: the training shards hold no sequences; the run's report says what was dropped")
        for part in data.manifest.shards:
            _check_count(data, part)
    except StoreError as error:
        raise TrainError(str(error)) from error
    return data


def _check_count(data: ShardData, part: str) -> None:
    held, listed = len(ShardReader.open(data.folder / part)), sum(data.rows(part))
    if held != listed:
        raise TrainError(
            f"{data.folder / part}: holds {held} sequences but the manifest lists {listed}; "
            "the shards were changed after the run: export the data again"
        )
