"""Packed shards: the export a trainer reads, as a Hugging Face ``save_to_disk`` folder of Arrow streams.

documents ─► record batches ─► data-00000-of-000NN.arrow + .json ─► dataset_info.json, state.json ─► manifest.json
                                         │
                                     ShardReader
"""

from __future__ import annotations

from curate.shards.dataset import finish_dataset
from curate.shards.documents import Documents, DocumentSource
from curate.shards.manifest import Manifest, verify
from curate.shards.read import PackedBatch, PackedSequence, ShardReader
from curate.shards.write import ShardInfo, write_packed, write_unpacked

__all__ = [
    "DocumentSource",
    "Documents",
    "Manifest",
    "PackedBatch",
    "PackedSequence",
    "ShardInfo",
    "ShardReader",
    "finish_dataset",
    "verify",
    "write_packed",
    "write_unpacked",
]
