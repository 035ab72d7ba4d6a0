"""Dialogues: utterances spread over buckets by dialogue, so that each bucket can be gathered on its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import xxhash

from curate.sources import UTTERANCE_SCHEMA, Batch, SourceSpec, group_utterances
from curate.store import read_frame, write_frame

BUCKET_BYTES = 64 << 20
"""Input bytes of one bucket: fixed, so that parts never depend on the machine."""


@dataclass(frozen=True)
class Spread:
    """Where spread utterances lie and over how many buckets."""

    folder: Path
    buckets: int

    @classmethod
    def of(cls, folder: Path, input_bytes: int) -> Spread:
        """Returns the spread for a source of this many input bytes."""
        return cls(folder / "utterances", max(1, -(-input_bytes // BUCKET_BYTES)))

    def write(self, name: str, batch: Batch) -> None:
        """Writes a batch of utterances sorted by bucket."""
        keys = batch.rows["key"].unique(maintain_order=True)
        places = [xxhash.xxh3_64_intdigest(key.encode()) % self.buckets for key in keys]
        of_key = pl.DataFrame({"key": keys, "bucket": pl.Series(places, dtype=pl.UInt32)})
        spread = batch.rows.join(of_key, on="key", how="left", maintain_order="left")
        write_frame(self.folder / f"{name}.arrow", spread.sort("bucket", maintain_order=True))

    def gather(self, spec: SourceSpec, names: list[str], bucket: int) -> Batch:
        """Returns the dialogues of one bucket."""
        frames = [read_frame(self.folder / f"{name}.arrow") for name in names]
        mine = [frame.filter(pl.col("bucket") == bucket).drop("bucket") for frame in frames]
        return group_utterances(spec, pl.concat([pl.DataFrame(schema=UTTERANCE_SCHEMA), *mine]))
