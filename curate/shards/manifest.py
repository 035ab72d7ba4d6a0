"""The manifest: what an output folder holds and what made it, with a digest for every shard."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curate.errors import StoreError
from curate.files import sha256_file, write_json
from curate.shards.write import ShardInfo

FILE = "manifest.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenizerInfo(_Frozen):
    """Names the tokenizer whose ids the shards hold."""

    name: str = Field(description="hub id or folder as the recipe gave it")
    digest: str = Field(description="of the tokenizer's content")
    engine: str = Field(description="which implementation produced the ids")


class ChatTemplateInfo(_Frozen):
    """Names the chat template the conversations were rendered with."""

    digest: str = Field(description="of the template's text")


class PackingInfo(_Frozen):
    """Says how sequences were filled."""

    length: int = Field(description="tokens a sequence can hold")
    window: int = Field(description="sequences packed together")
    fill: float = Field(description="share of the places that hold a token")
    ineligible: int = Field(description="documents longer than a sequence, left out")


class Manifest(_Frozen):
    """Accounts for every shard of an output folder; its hash is the identity of the data a trainer reads."""

    version: Literal[1] = 1
    shards: dict[str, tuple[ShardInfo, ...]] = Field(description='by folder: "train", "validation/<ability>"')
    sources: tuple[str, ...] = Field(description="names; the place is the number in source_ids")
    tokenizer: TokenizerInfo
    chat_template: ChatTemplateInfo
    packing: PackingInfo
    recipe: str = Field(description="hash of the recipe")
    mix: str = Field(description="hash of mix.lock.json")
    eos: tuple[int, ...] = Field(description="token ids that end an assistant turn; training checks they carry loss")

    @property
    def hash(self) -> str:
        """The SHA-256 of the manifest as compact JSON with sorted keys, hex."""
        return hashlib.sha256(orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS)).hexdigest()

    def fingerprint(self, folder: str) -> str:
        """The ``_fingerprint`` of one folder of shards: the manifest's hash for "train", else derived from it."""
        if folder == "train":
            return self.hash
        return hashlib.sha256(f"{self.hash}/{folder}".encode()).hexdigest()

    def write(self, root: Path) -> None:
        """Writes ``root/manifest.json`` atomically, keys sorted."""
        write_json(root / FILE, self.model_dump())

    @classmethod
    def read(cls, root: Path) -> Manifest:
        """Reads ``root/manifest.json``.

        Raises:
            StoreError: when it is missing or damaged.
        """
        path = root / FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise StoreError(f"{root}: no {FILE}, so this isn't a finished output; run `curate run` first") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise StoreError(f"{path}: {where}: {first['msg']}; export the data again") from error


def verify(root: Path) -> Manifest:
    """Hashes every shard again and returns the manifest they agree with.

    Raises:
        StoreError: naming each shard that is missing or differs.
    """
    manifest = Manifest.read(root)
    wrong = []
    for folder, shards in manifest.shards.items():
        for shard in shards:
            path = root / folder / shard.file
            if not path.exists():
                wrong.append(f"{folder}/{shard.file} is missing")
            elif (got := sha256_file(path)) != shard.sha256:
                wrong.append(f"{folder}/{shard.file} has sha256 {got[:12]}…, the manifest says {shard.sha256[:12]}…")
    if wrong:
        raise StoreError(f"{root}: {'; '.join(wrong)}; export the data again")
    return manifest
