"""LLaMA-Factory: `num_samples` of dataset_info, `max_samples`, and concatenated or interleaved by `interleave_probs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curate.errors import RecipeError
from curate.mixture.peers.interleave import Stop, interleaved
from curate.mixture.peers.model import Config, Dataset, Peer, PeerMix, Wish, Yield, number, repeated

_STOPS: dict[str, Stop] = {
    "interleave_under": "first_exhausted",
    "interleave_over": "all_exhausted",
    "interleave_once": "all_exhausted_without_replacement",
}
_SEED = 42


def read(config: Config) -> PeerMix:
    """Returns the mixture of a config; ``dataset_info``, where it is known, stands under that key.

    Raises:
        RecipeError: for an unknown strategy, or probabilities that fit neither the datasets nor the strategy.
    """
    names = _listed(config.get("dataset"))
    info: Config = config.get("dataset_info") or {}
    strategy = config.get("mix_strategy") or "concat"
    if strategy != "concat" and strategy not in _STOPS:
        raise RecipeError(f"mix_strategy: {strategy!r}; known: concat, {', '.join(_STOPS)}")
    given = config.get("interleave_probs")
    probabilities = None if given is None else [number(p, "interleave_probs") for p in _listed(given)]
    if probabilities is not None and strategy == "concat":
        raise RecipeError("interleave_probs: LLaMA-Factory refuses them with mix_strategy concat")
    if probabilities is not None and len(probabilities) != len(names):
        raise RecipeError(f"interleave_probs: {len(probabilities)} numbers for {len(names)} datasets")
    wishes = tuple(
        Wish(
            name,
            _said(info.get(name, {}), None if probabilities is None else probabilities[k]),
            None if probabilities is None else probabilities[k],
            tuple(str(v) for key, v in info.get(name, {}).items() if key in ("file_name", "hf_hub_url", "ms_hub_url")),
        )
        for k, name in enumerate(names)
    )
    most = config.get("max_samples")

    def give(sizes: Sequence[int]) -> Yield:
        counts = [int(info.get(name, {}).get("num_samples") or size) for name, size in zip(names, sizes, strict=True)]
        counts = [min(count, int(most)) if most else count for count in counts]
        notes = _notes(names, info, sizes, most, strategy)
        if strategy == "concat" or len(names) == 1:
            return Yield(tuple(counts), notes)
        rows = interleaved(counts, probabilities, int(config.get("seed", _SEED)), _STOPS[strategy])
        return Yield(tuple(rows), (*notes, *repeated(names, counts, sizes, rows)))

    return PeerMix(wishes, give, "first" if most and not _sampled(info, names) else "random")


def _listed(value: Any) -> list[str]:
    if not value:
        raise RecipeError("dataset: a list of names, separated by commas")
    parts = value if isinstance(value, list) else str(value).split(",")
    return [str(part).strip() for part in parts]


def _said(info: Config, probability: float | None) -> str:
    told = [f"probability {probability:g}"] if probability is not None else []
    if info.get("num_samples"):
        told.append(f"num_samples {info['num_samples']}")
    return ", ".join(told) or "all rows"


def _sampled(info: Config, names: Sequence[str]) -> bool:
    return any(info.get(name, {}).get("num_samples") for name in names)


def _notes(names: Sequence[str], info: Config, sizes: Sequence[int], most: Any, strategy: str) -> tuple[str, ...]:
    notes = []
    for name, size in zip(names, sizes, strict=True):
        wanted = info.get(name, {}).get("num_samples")
        if wanted and int(wanted) > size:
            notes.append(
                f"{name}: {int(wanted) - size:,} rows beyond its {size:,} are drawn with replacement, unevenly"
            )
    if most:
        notes.append(f"max_samples keeps the first {int(most):,} rows of each dataset")
    if strategy in ("interleave_under", "interleave_over"):
        end = "the first dataset is used up" if strategy == "interleave_under" else "the last dataset is used up"
        notes.append(f"it stops when {end}, so the total follows from sizes and draws, and shares hold on average only")
    if strategy == "interleave_once":
        notes.append("every row comes once whatever the probabilities: they order the rows and decide no share")
    return tuple(notes)


def write(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Returns the training config and its dataset_info, where each dataset has its number of rows."""
    info = {d.name: {"file_name": d.paths[0] if d.paths else d.name, "num_samples": d.gives} for d in datasets}
    return {"dataset": ",".join(d.name for d in datasets), "mix_strategy": "concat", "dataset_info": info}


def _is_llama_factory(config: Config) -> bool:
    own = {"mix_strategy", "interleave_probs", "dataset_dir", "dataset_info", "max_samples", "cutoff_len"}
    return "dataset" in config and bool(own & set(config))


LLAMA_FACTORY = Peer(
    "llama-factory",
    _is_llama_factory,
    read,
    write,
    (
        "the unit: num_samples counts rows, not tokens",
        "whole passes: rows beyond one pass are drawn with replacement, so some come more often than others",
        "`dataset_info` belongs into dataset_info.json of `dataset_dir`, with the columns of each file",
    ),
)
