"""Counts a packed dataset on its Arrow buffers and prints what a peer reports: one line of JSON."""

import json
from typing import Any

import pyarrow.compute as pc


def report(dataset: Any, seconds: float) -> None:
    """Prints sequences, tokens and trained tokens of a packed dataset, and the seconds its preparation took."""
    table = dataset.data.table
    tokens = int(pc.sum(pc.list_value_length(table["input_ids"])).as_py())
    labels = pc.list_flatten(table["labels"])
    trained = int(pc.sum(pc.not_equal(labels, -100)).as_py())
    print(json.dumps({"sequences": len(dataset), "tokens": tokens, "trained": trained, "seconds": seconds}))
