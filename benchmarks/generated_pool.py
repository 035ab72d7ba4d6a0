"""Makes the pool the packing and shard benchmarks run on: random tokens, lognormal lengths of mean about 310."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from curate.pool import POOL_SCHEMA, Pool
from curate.shards.ids import hex_from_ids

ROWS_PER_PART = 50_000
ABILITIES = ("code", "math", "service", "writing")


def open_pool(folder: Path, rows: int) -> Pool:
    """Writes the parts that are not there yet and opens the pool of ``rows`` rows."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [min(ROWS_PER_PART, rows - start) for start in range(0, rows, ROWS_PER_PART)]
    paths = [folder / f"pool-{number:03d}-{size}.arrow" for number, size in enumerate(sizes)]
    for number, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        if not path.exists():
            _write_part(path, size, number)
    return Pool.open(paths)


def _write_part(path: Path, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(5.3, 0.95, rows), 4, 4096).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    input_ids = rng.integers(0, 50_000, offsets[-1], dtype=np.int32)
    mask = np.arange(offsets[-1]) % 2 == 1
    trained = np.add.reduceat(mask, offsets[:-1], dtype=np.int32)
    ids = hex_from_ids(rng.integers(0, 1 << 63, (rows, 2), dtype=np.uint64)).cast(pa.large_string())
    names = pa.array(np.array(ABILITIES, dtype=object)[rng.integers(0, len(ABILITIES), rows)], pa.large_string())
    columns = [
        *(ids, ids, names, names, pa.array(rng.random(rows) < 0.2)),
        pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(input_ids)),
        pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(mask)),
        *(pa.array(lengths), pa.array(trained)),
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=POOL_SCHEMA)
    tmp = path.with_suffix(".tmp")
    with pa.ipc.new_file(str(tmp), POOL_SCHEMA) as writer:
        writer.write_batch(batch)
    tmp.rename(path)
