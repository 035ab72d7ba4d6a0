"""Makes a folder of shards a Hugging Face dataset that ``datasets.load_from_disk`` opens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.files import write_json
from curate.shards.schema import HF_FEATURES
from curate.shards.write import ShardInfo


def finish_dataset(folder: Path, shards: Sequence[ShardInfo], *, fingerprint: str, split: str) -> None:
    """Writes ``dataset_info.json`` and, last, ``state.json``: a folder with a state is complete.

    ``fingerprint`` names the content (``Manifest.fingerprint``); two folders with one fingerprint would share the
    caches of ``datasets``. ``split`` is a plain word, "train" or "validation".
    """
    rows = sum(shard.rows for shard in shards)
    size = sum((folder / shard.file).stat().st_size for shard in shards)
    info = {
        "features": HF_FEATURES,
        "splits": {split: {"name": split, "num_bytes": size, "num_examples": rows, "dataset_name": "curate"}},
    }
    state: dict[str, Any] = {
        "_data_files": [{"filename": shard.file} for shard in shards],
        "_fingerprint": fingerprint,
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    write_json(folder / "dataset_info.json", info)
    write_json(folder / "state.json", state)
