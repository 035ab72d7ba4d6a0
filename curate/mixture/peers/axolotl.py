"""axolotl: `weight` is a fraction of a dataset's own rows, at most 1; `shards` keeps one of so many parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.errors import RecipeError
from curate.mixture.peers.model import (
    Config,
    Dataset,
    Peer,
    PeerMix,
    Wish,
    Yield,
    as_entry,
    entries,
    files_of,
    number,
    title,
)


def read(config: Config) -> PeerMix:
    """Returns the mixture of a config.

    Raises:
        RecipeError: for a weight above 1, which axolotl refuses.
    """
    listed = entries(config.get("datasets"), "datasets")
    weights = [number(entry.get("weight", 1), f"datasets.{k}.weight") for k, entry in enumerate(listed)]
    for k, weight in enumerate(weights):
        if weight > 1:
            raise RecipeError(f"datasets.{k}.weight: {weight:g} is above 1; axolotl never repeats rows")
    weighted = any("weight" in entry for entry in listed)
    shares = all("weight" in entry for entry in listed) and abs(sum(weights) - 1) < 1e-6
    wishes = tuple(
        Wish(
            title(entry),
            _said(entry),
            weights[k] if shares else None,
            (*files_of(entry), str(entry.get("name") or "")),
        )
        for k, entry in enumerate(listed)
    )

    def give(sizes: Sequence[int]) -> Yield:
        rows = tuple(
            int(_part(entry, size) * weight) for entry, weight, size in zip(listed, weights, sizes, strict=True)
        )
        note = "a weight is a fraction of that dataset's own rows"
        note += "; these sum to 1 as shares of the whole would, and do not act as such" if shares else ""
        notes = ((note,) if weighted else ()) + (
            ("the validation set is cut after merging, at random, through groups",)
            if config.get("val_set_size")
            else ()
        )
        return Yield(rows, notes)

    return PeerMix(wishes, give, "random")


def _said(entry: Config) -> str:
    shards = f"shard {entry.get('shards_idx', 0)} of {entry['shards']}" if entry.get("shards") else ""
    weight = f"weight {entry['weight']}" if "weight" in entry else ""
    return ", ".join(filter(None, (weight, shards))) or "all rows"


def _part(entry: Config, size: int) -> int:
    """Returns the rows of one of ``shards`` contiguous parts."""
    parts, place = int(entry.get("shards") or 1), int(entry.get("shards_idx") or 0)
    return size // parts + (place < size % parts)


def write(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Returns a config; a dataset of several passes stands there once for each."""
    listed = []
    for dataset in datasets:
        whole, rest = divmod(dataset.gives, dataset.has)
        weights = [1.0] * whole + ([round(rest / dataset.has, 6)] if rest else [])
        listed += [{**as_entry(dataset), "type": "chat_template", "weight": weight} for weight in weights]
    return {"datasets": listed, "shuffle_merged_datasets": True}


def _is_axolotl(config: Config) -> bool:
    listed = config.get("datasets")
    known = isinstance(listed, list) and all(isinstance(entry, dict) for entry in listed)
    return known and any({"type", "weight", "shards"} & set(entry) for entry in listed or ())


AXOLOTL = Peer(
    "axolotl",
    _is_axolotl,
    read,
    write,
    (
        "the unit: a weight is a fraction of a dataset's rows, not of tokens; the last row is rounded down",
        "`dataset_exact_deduplication` must stay off where a dataset is listed more than once for more passes",
    ),
)
