"""ms-swift: `dataset#500` takes so many rows (repeating them beyond the dataset's size); `interleave_prob` draws."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from curate.errors import RecipeError
from curate.mixture.peers.interleave import Stop, interleaved
from curate.mixture.peers.model import Config, Dataset, Peer, PeerMix, Wish, Yield, number, repeated

_COUNT = re.compile(r"(?P<name>.+?)#(?P<rows>\d+)")
_STOPS: tuple[Stop, ...] = ("first_exhausted", "all_exhausted")
_SEED = 42


def read(config: Config) -> PeerMix:
    """Returns the mixture of a config or of the options of `swift sft`.

    Raises:
        RecipeError: for probabilities that fit neither the datasets nor `datasets`.
    """
    given = config.get("dataset")
    listed = [str(part) for part in (given if isinstance(given, list) else str(given or "").split())]
    if not listed:
        raise RecipeError("dataset: at least one dataset, such as `alpaca#500`")
    parts = [_parse(text) for text in listed]
    probabilities = _probabilities(config, len(listed))
    stop: Stop = config.get("stopping_strategy") or "first_exhausted"
    if stop not in _STOPS:
        raise RecipeError(f"stopping_strategy: {stop!r}; known: {', '.join(_STOPS)}")
    wishes = tuple(
        Wish(
            name,
            ", ".join(
                filter(None, (f"#{rows}" if rows else "", f"probability {probabilities[k]:g}" if probabilities else ""))
            )
            or "all rows",
            probabilities[k] if probabilities else None,
            (name.partition("::")[2] or name, name.rpartition(":")[0] or name),
        )
        for k, (name, rows) in enumerate(parts)
    )

    def give(sizes: Sequence[int]) -> Yield:
        counts = [size if rows is None else rows for (_, rows), size in zip(parts, sizes, strict=True)]
        notes = [
            f"{name}#{rows}: beyond its {size:,} rows whole passes and a random rest are taken"
            for (name, rows), size in zip(parts, sizes, strict=True)
            if rows is not None and rows > size
        ]
        if not probabilities:
            return Yield(tuple(counts), tuple(notes))
        end = "first" if stop == "first_exhausted" else "last"
        notes.append(f"it stops when the {end} dataset is used up, so the total follows from sizes and draws")
        rows = interleaved(counts, probabilities, _SEED, stop)
        return Yield(tuple(rows), (*notes, *repeated([name for name, _ in parts], counts, sizes, rows)))

    return PeerMix(wishes, give, "random")


def _parse(text: str) -> tuple[str, int | None]:
    found = _COUNT.fullmatch(text)
    return (found["name"], int(found["rows"])) if found else (text, None)


def _probabilities(config: Config, datasets: int) -> list[float] | None:
    given = config.get("interleave_prob")
    if given is None:
        return None
    found = [number(p, "interleave_prob") for p in (given if isinstance(given, list) else str(given).split())]
    if len(found) != datasets:
        raise RecipeError(f"interleave_prob: {len(found)} numbers for {datasets} datasets")
    return found


def write(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Returns the options of `swift sft`."""
    return {"dataset": [f"{d.paths[0] if d.paths else d.name}#{d.gives}" for d in datasets]}


def _is_swift(config: Config) -> bool:
    given = config.get("dataset")
    return "interleave_prob" in config or (bool(given) and ("#" in str(given) or isinstance(given, list)))


MS_SWIFT = Peer("ms-swift", _is_swift, read, write, ("the unit: `#n` counts rows, not tokens",))
