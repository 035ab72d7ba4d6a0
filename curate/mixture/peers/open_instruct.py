"""open-instruct: in `dataset_mixer_list` a number with a point is a fraction of the dataset's rows, one without a count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from curate.errors import RecipeError
from curate.mixture.peers.model import Config, Dataset, Peer, PeerMix, Wish, Yield, number


def read(config: Config) -> PeerMix:
    """Returns the mixture of a config or of a script's options.

    Raises:
        RecipeError: for a list of odd length or an amount that is no number.
    """
    pairs = _pairs(config)
    for name, amount in pairs:
        number(amount, f"dataset_mixer: {name}")
    wishes = tuple(Wish(name, f"{amount} of its rows" if "." in amount else f"{amount} rows") for name, amount in pairs)

    def give(sizes: Sequence[int]) -> Yield:
        rows = tuple(
            int(float(amount) * size) if "." in amount else int(amount)
            for (_, amount), size in zip(pairs, sizes, strict=True)
        )
        notes = [
            f"{name} gives one row: `1` is a count, `1.0` is the whole dataset"
            for name, amount in pairs
            if amount == "1"
        ]
        notes += [
            f"{name}: {count:,} rows of {size:,} are {count // size} whole passes and a random rest"
            for (name, _), count, size in zip(pairs, rows, sizes, strict=True)
            if size and count > size
        ]
        return Yield(rows, tuple(notes))

    return PeerMix(wishes, give, "random")


def _pairs(config: Config) -> list[tuple[str, str]]:
    listed = config.get("dataset_mixer_list")
    if listed is None:
        mixer = config.get("dataset_mixer")
        mixer = orjson.loads(mixer) if isinstance(mixer, str) else mixer
        if not isinstance(mixer, dict) or not mixer:
            raise RecipeError("dataset_mixer: a mapping from dataset to amount, or a dataset_mixer_list")
        return [(str(name), str(amount)) for name, amount in mixer.items()]
    words = [str(word) for word in (listed if isinstance(listed, list) else str(listed).split())]
    if not words or len(words) % 2:
        raise RecipeError(f"dataset_mixer_list: {len(words)} words; it is dataset, amount, dataset, amount …")
    return list(zip(words[::2], words[1::2], strict=True))


def write(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Returns a mixer list of counts."""
    words = [word for d in datasets for word in (d.paths[0] if d.paths else d.name, str(d.gives))]
    return {"dataset_mixer_list": words}


OPEN_INSTRUCT = Peer(
    "open-instruct",
    lambda config: "dataset_mixer" in config or "dataset_mixer_list" in config,
    read,
    write,
    ("the unit: amounts count rows, not tokens",),
)
