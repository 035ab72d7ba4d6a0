"""Export: the pack plan written out as packed shards, with validation sets, manifest, lock, accounts and card."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.files import write_bytes
from curate.pool import Pool
from curate.shards import Manifest, ShardInfo, finish_dataset, write_packed, write_unpacked
from curate.shards.manifest import ChatTemplateInfo, PackingInfo, TokenizerInfo
from curate.tokens.files import TokenizerFiles


@dataclass(frozen=True)
class Release:
    """What is exported: the pool, which of its rows in which order, and what the manifest says of them."""

    pool: Pool
    pool_key: str
    rows: NDArray[np.int64]
    bounds: NDArray[np.int64]
    validation: dict[str, NDArray[np.int64]]
    packing: PackingInfo


@dataclass(frozen=True)
class Names:
    """The hashes and names a manifest carries."""

    recipe: str
    mix: str
    tokenizer_name: str
    tokenizer: TokenizerFiles
    engine: str
    """The implementation that made the ids."""
    eos: tuple[int, ...]


def write_shards(folder: Path, release: Release) -> dict[str, tuple[ShardInfo, ...]]:
    """Writes the training and validation shards and returns what they hold."""
    shards = {
        "train": tuple(write_packed(folder / "train", release.pool, release.rows, release.bounds, key=release.pool_key))
    }
    for ability, name in folder_names(list(release.validation)).items():
        place, rows = f"validation/{name}", release.validation[ability]
        shards[place] = tuple(write_unpacked(folder / place, release.pool, rows, key=release.pool_key))
    return shards


def write_manifest(folder: Path, release: Release, names: Names) -> Manifest:
    """Writes the shards and then what they hold: manifest, and the files that make folders of shards datasets."""
    shards = write_shards(folder, release)
    tokenizer = names.tokenizer
    template = tokenizer.templates.get("default", "")
    manifest = Manifest(
        shards=shards,
        sources=release.pool.index.source_names,
        tokenizer=TokenizerInfo(name=names.tokenizer_name, digest=tokenizer.digest(), engine=names.engine),
        chat_template=ChatTemplateInfo(digest=hashlib.sha256(template.encode()).hexdigest()),
        packing=release.packing,
        recipe=names.recipe,
        mix=names.mix,
        eos=names.eos,
    )
    for place, infos in manifest.shards.items():
        split = "train" if place == "train" else "validation"
        finish_dataset(folder / place, infos, fingerprint=manifest.fingerprint(place), split=split)
    manifest.write(folder)
    return manifest


def copy_tokenizer(folder: Path, tokenizer: TokenizerFiles) -> None:
    """Copies the tokenizer's files, its chat template among them, so that training needs no hub."""
    target = folder / "tokenizer"
    target.mkdir(parents=True, exist_ok=True)
    for path in tokenizer.paths():
        write_bytes(target / path.name, path.read_bytes())


def folder_names(abilities: list[str]) -> dict[str, str]:
    """Returns a folder name for each ability: letters, digits, dash, underscore and dot stay, and no two are one."""
    names: dict[str, str] = {}
    for ability in abilities:
        plain = name = re.sub(r"[^\w.-]+", "_", ability).strip(".") or "_"
        number = 2
        while name in names.values():
            name, number = f"{plain}-{number}", number + 1
        names[ability] = name
    return names
