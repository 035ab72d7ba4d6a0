"""Makes small pools on disk for the tests of pool, mixture and shards."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from curate.pool import POOL_SCHEMA
from curate.shards.ids import hex_from_ids


def pool_batch(
    lengths: list[int], *, abilities: list[str], sources: list[str], domain: list[bool] | None = None, seed: int = 0
) -> pa.RecordBatch:
    """Returns rows whose tokens are 0, 1, 2 ... plus 1,000 times the row, the first half of each not trained."""
    count = len(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    row_of = np.repeat(np.arange(count), lengths)
    within = np.arange(offsets[-1]) - offsets[row_of]
    input_ids = (within + 1000 * row_of).astype(np.int32)
    mask = within >= np.array(lengths, dtype=np.int64)[row_of] // 2
    ids = hex_from_ids(np.random.default_rng(seed).integers(0, 1 << 63, (count, 2), dtype=np.uint64))
    columns = [
        ids.cast(pa.large_string()),
        ids.cast(pa.large_string()),
        pa.array(sources, pa.large_string()),
        pa.array(abilities, pa.large_string()),
        pa.array(domain or [False] * count, pa.bool_()),
        pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(input_ids)),
        pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(mask)),
        pa.array(lengths, pa.int32()),
        pa.array([n - n // 2 for n in lengths], pa.int32()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=POOL_SCHEMA)


def write_part(path: Path, batches: list[pa.RecordBatch], form: Literal["file", "stream"] = "file") -> Path:
    """Writes batches as one Arrow IPC part."""
    opener = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
    with opener(str(path), batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path
