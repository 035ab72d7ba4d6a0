"""The columns of a shard: how they lie in Arrow, and how Hugging Face ``datasets`` names them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.arrow import arrow_numbers
from curate.shards.documents import Documents
from curate.shards.ids import hex_from_ids

_VALUES: dict[str, tuple[str, pa.DataType]] = {
    "input_ids": ("int32", pa.int32()),
    "labels": ("int32", pa.int32()),
    "seq_lengths": ("int32", pa.int32()),
    "source_ids": ("int16", pa.int16()),
    "doc_ids": ("string", pa.string()),
}

SHARD_SCHEMA = pa.schema([(name, pa.list_(value)) for name, (_, value) in _VALUES.items()])
"""One row is one sequence: its tokens, its labels (-100 = not trained), then per document length, source and row id."""

HF_FEATURES: dict[str, Any] = {
    name: {"feature": {"dtype": dtype, "_type": "Value"}, "_type": "Sequence"} for name, (dtype, _) in _VALUES.items()
}
"""The same columns as ``dataset_info.json`` spells them; ``Sequence`` is read by every release since 2.0."""


def to_batch(documents: Documents, bounds: NDArray[np.int64]) -> pa.RecordBatch:
    """Lays documents out as sequences without copying tokens; sequence ``s`` is documents ``bounds[s]:bounds[s + 1]``.

    ``bounds`` starts at 0. 32-bit offsets are enough as long as a batch holds under 2**31 tokens.
    """
    by_token = arrow_numbers(documents.offsets[bounds].astype(np.int32))
    by_document = arrow_numbers(bounds.astype(np.int32))
    lengths = np.diff(documents.offsets).astype(np.int32)
    columns = [
        pa.ListArray.from_arrays(by_token, arrow_numbers(documents.input_ids)),
        pa.ListArray.from_arrays(by_token, arrow_numbers(documents.labels)),
        pa.ListArray.from_arrays(by_document, arrow_numbers(lengths)),
        pa.ListArray.from_arrays(by_document, arrow_numbers(documents.source_ids)),
        pa.ListArray.from_arrays(by_document, hex_from_ids(documents.ids)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SHARD_SCHEMA)
