"""Mixtures of other trainers beside the pool of a recipe: read, matched with its sources, counted; and written back."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import orjson
import yaml
from numpy.typing import NDArray

from curate.errors import RecipeError, did_you_mean
from curate.mixed import Mixed
from curate.mixing import Mixing
from curate.mixture.peers import Config, Dataset, Peer, PeerMix, find_peer
from curate.recipe.lines import parse
from curate.sources import SourceSpec


@dataclass(frozen=True)
class Outcome:
    """What one dataset of a config yields over a pool."""

    dataset: str
    source: str
    asked: str
    share_asked: float | None
    has: int
    rows: int
    trained_tokens: int
    """Of these rows, where it is not the whole source: the first rows, or as many average ones."""


@dataclass(frozen=True)
class Imported:
    """A config of another trainer, resolved over a pool."""

    peer: str
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]

    def table(self) -> list[list[str]]:
        """Returns head, a line for each dataset, and the sum."""
        rows, trained = (sum(getattr(o, name) for o in self.outcomes) for name in ("rows", "trained_tokens"))
        head = ["dataset", "source", "asked", "has", "rows", "share of rows", "of trained tokens", "passes"]
        lines = [
            [
                o.dataset,
                o.source,
                o.asked if o.share_asked is None else f"{o.asked} = {o.share_asked:.1%}",
                f"{o.has:,}",
                f"{o.rows:,}",
                f"{o.rows / max(1, rows):.1%}",
                f"{o.trained_tokens / max(1, trained):.1%}",
                f"{o.rows / max(1, o.has):.3g}",
            ]
            for o in self.outcomes
        ]
        return [head, *lines, ["all", "", "", "", f"{rows:,}", "", "", ""]]

    def spec(self) -> dict[str, Any]:
        """Returns the mix that takes as many rows of each source, for a recipe."""
        rows: dict[str, int] = {}
        has: dict[str, int] = {}
        for o in self.outcomes:
            rows[o.source] = rows.get(o.source, 0) + o.rows
            has[o.source] = o.has
        most = max((count / has[name] for name, count in rows.items() if has[name]), default=1.0)
        spec: dict[str, Any] = {"by": "source", "unit": "rows", "rows": {**rows, "*": 0}, "order": "shuffle"}
        if most > 4:
            spec |= {"max_epochs": float(np.ceil(most))} | ({"force_epochs": True} if most > 16 else {})
        return spec


def read_config(path: Path) -> Config:
    """Returns the config in a YAML or JSON file, or the options of a shell script.

    Raises:
        RecipeError: when it can't be read or is no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: can't read this config: {error}") from error
    if path.suffix in (".sh", ".bash"):
        return _options(text, path)
    try:
        found = orjson.loads(text) if path.suffix == ".json" else parse(text, str(path)).data
    except orjson.JSONDecodeError as error:
        raise RecipeError(f"{path}: this is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise RecipeError(f"{path}: a config is a mapping")
    return _with_dataset_info(found, path)


def _options(text: str, path: Path) -> Config:
    """Returns the long options of a command in a script, each with the words that follow it."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]  # `a#5` is no comment
    try:
        words = shlex.split("\n".join(lines).replace("\\\n", " "))
    except ValueError as error:
        raise RecipeError(f"{path}: can't read this script: {error}") from error
    found: dict[str, Any] = {}
    values: list[str] = []
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            values = [value] if equals else []
            found[name.replace("-", "_")] = values
        elif found:
            values.append(word)
    several = ("dataset", "dataset_mixer_list", "interleave_prob")
    return {name: words if name in several else " ".join(words) for name, words in found.items()}


def _with_dataset_info(config: dict[str, Any], path: Path) -> Config:
    folder = Path(str(config.get("dataset_dir", "data")))
    for place in (folder, path.parent / folder, path.parent):
        info = place / "dataset_info.json"
        if "dataset" in config and "dataset_info" not in config and info.is_file():
            return {**config, "dataset_info": orjson.loads(info.read_bytes())}
    return config


def import_config(config: Config, mixing: Mixing, peer: str | None, named: Mapping[str, str]) -> Imported:
    """Returns what a config yields over the training rows of a pool; ``named`` maps datasets to sources.

    Raises:
        RecipeError: for a config its own trainer would refuse, or a dataset that is none of the sources.
    """
    found = find_peer(config, peer)
    mix = found.read(config)
    sources = [_source_of((w.name, *w.aliases), mixing.recipe.sources, named) for w in mix.wishes]
    return _outcomes(found, mix, sources, mixing)


def _outcomes(peer: Peer, mix: PeerMix, sources: Sequence[str], mixing: Mixing) -> Imported:
    rows_of = {name: source_rows(mixing, name) for name in sources}
    sizes = [rows_of[name].size for name in sources]
    for name, size in zip(sources, sizes, strict=True):
        if not size:
            raise RecipeError(f"source {name!r} has no rows left for training, so the config yields nothing of it")
    given = mix.give(sizes)
    outcomes = tuple(
        Outcome(w.name, name, w.said, w.share, size, rows, _trained(mixing, rows_of[name], rows, mix.picks))
        for w, name, size, rows in zip(mix.wishes, sources, sizes, given.rows, strict=True)
    )
    return Imported(peer.name, outcomes, given.notes)


def source_rows(mixing: Mixing, name: str) -> NDArray[np.int64]:
    """Returns the pool rows of a source that may be trained, in the order of its files."""
    index = mixing.pool.index
    code = index.source_names.index(name) if name in index.source_names else -1
    rows = mixing.index.rows
    found: NDArray[np.int64] = rows[index.source[rows] == code]
    return found


def _trained(mixing: Mixing, rows: NDArray[np.int64], count: int, picks: str) -> int:
    trained = mixing.pool.n_trained[rows]
    passes, rest = divmod(count, rows.size)
    whole = int(trained.sum(dtype=np.int64))
    part = int(trained[:rest].sum(dtype=np.int64)) if picks == "first" else round(rest * whole / rows.size)
    return passes * whole + part


def _source_of(names: Iterable[str], sources: Sequence[SourceSpec], named: Mapping[str, str]) -> str:
    """Returns the source a dataset is: named so, or with the same name or file."""
    wanted = [name for name in names if name]
    known = [source.name for source in sources]
    for name in wanted:
        if name in named:
            if named[name] not in known:
                raise RecipeError(f"--map: no source is named {named[name]!r}{did_you_mean(named[name], known)}")
            return named[name]
    forms = {form for name in wanted for form in _forms(name)}
    found = [s.name for s in sources if forms & {f for name in (s.name, *map(str, s.paths)) for f in _forms(name)}]
    if len(found) != 1:
        which = f"may be {' or '.join(found)}" if found else f"is none of the sources {', '.join(known)}"
        raise RecipeError(f"the dataset {wanted[0]!r} {which}; say which with --map {wanted[0]}=SOURCE")
    return found[0]


def _forms(name: str) -> set[str]:
    path = PurePosixPath(name)
    return {name.lower()} | {form.lower() for form in (path.name, path.stem) if form and "*" not in form}


def export_config(mixed: Mixed, peer_name: str) -> tuple[dict[str, Any], Imported, list[str]]:
    """Returns a mixture as another trainer's config, what that trainer makes of it, and what is lost, in words."""
    peer = find_peer({}, peer_name)
    mixing = mixed.mixing
    index = mixing.pool.index
    counts = np.bincount(index.source[mixed.mixture.rows], minlength=len(index.source_names))
    paths = {source.name: tuple(map(str, source.paths)) for source in mixing.recipe.sources}
    datasets = [
        Dataset(name, paths.get(name, ()), source_rows(mixing, name).size, int(counts[code]))
        for code, name in enumerate(index.source_names)
        if counts[code]
    ]
    config = peer.write(datasets)
    mix = peer.read(config)
    sources = [_source_of((w.name, *w.aliases), mixing.recipe.sources, {}) for w in mix.wishes]
    outcome = _outcomes(peer, mix, sources, mixing)
    return config, outcome, [*_lost(mixed, peer), *_missed(datasets, outcome)]


def _lost(mixed: Mixed, peer: Peer) -> list[str]:
    lost = [
        f"the rows: {peer.name} reads the files as they are, before any stage of the recipe, and with its own validation",
        "which rows: not this mixture's ranked prefix, so a later, larger mixture need not contain this one",
        *peer.lost,
    ]
    if mixed.spec.order != "shuffle":
        lost.append(f"the order: {mixed.spec.order} becomes a shuffle")
    return lost


def _missed(datasets: Sequence[Dataset], outcome: Imported) -> list[str]:
    got: dict[str, int] = {}
    for o in outcome.outcomes:
        got[o.source] = got.get(o.source, 0) + o.rows
    return [
        f"{d.name}: {got.get(d.name, 0):,} rows, not {d.gives:,}" for d in datasets if got.get(d.name, 0) != d.gives
    ]


def as_yaml(data: Any) -> str:
    """Returns data as YAML, keys in their order."""
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
