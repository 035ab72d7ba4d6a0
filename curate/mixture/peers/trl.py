"""TRL's `DatasetMixtureConfig`: `fraction` is a share of the final rows, and the largest total without repeats is taken."""

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
        RecipeError: for what TRL refuses: a fraction on some datasets only, or streaming with fractions.
    """
    listed = entries(config.get("datasets"), "datasets")
    fractions = [entry.get("fraction") for entry in listed]
    given = [fraction for fraction in fractions if fraction is not None]
    if given and len(given) < len(fractions):
        raise RecipeError("datasets: TRL wants `fraction` on all datasets or on none")
    if given and config.get("streaming"):
        raise RecipeError("datasets: TRL refuses `fraction` with streaming")
    weights = [number(fraction, f"datasets.{k}.fraction") for k, fraction in enumerate(given)]
    if given and not sum(weights):
        raise RecipeError("datasets: every fraction is 0; TRL fails on that")
    whole = sum(weights)
    wishes = tuple(
        Wish(
            title(entry),
            f"fraction {entry['fraction']}" if given else "all rows",
            weights[k] / whole if given else None,
            files_of(entry),
        )
        for k, entry in enumerate(listed)
    )

    def give(sizes: Sequence[int]) -> Yield:
        if not given:
            return Yield(tuple(sizes), _split(config))
        shares = [weight / whole for weight in weights]
        total = min(size / share for size, share in zip(sizes, shares, strict=True) if share > 0)
        rows = tuple(round(share * total) for share in shares)
        note = f"fractions are shares of rows, and the total is cut to {sum(rows):,} so that no dataset repeats"
        return Yield(rows, (note, *_split(config)))

    return PeerMix(wishes, give, "first")


def _split(config: Config) -> tuple[str, ...]:
    first = "the first rows of each dataset are taken, without a shuffle"
    if config.get("test_split_size"):
        return (first, "the test split is cut after mixing, at random, through groups")
    return (first,)


def write(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Returns a config with the datasets' shares of rows."""
    whole = sum(dataset.gives for dataset in datasets)
    listed = [{**as_entry(d), "split": "train", "fraction": round(d.gives / whole, 6)} for d in datasets]
    return {"datasets": listed}


def _is_trl(config: Config) -> bool:
    listed = config.get("datasets")
    known = isinstance(listed, list) and all(isinstance(entry, dict) for entry in listed)
    return known and not any("type" in entry or "weight" in entry or "shards" in entry for entry in listed or ())


TRL = Peer(
    "trl",
    _is_trl,
    read,
    write,
    (
        "the total: TRL takes the largest that repeats no dataset, so passes beyond one are lost",
        "the unit: a fraction is a share of rows, not of tokens",
    ),
)
