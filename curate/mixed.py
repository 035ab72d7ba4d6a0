"""A mixture by the name a user has for it: a recipe, a file with a mix, a lock, an output folder, a step in the store."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from curate.errors import RecipeError, StoreError
from curate.mixing import Mixing, open_mixing
from curate.mixture import MixSpec, Mixture
from curate.plan import make_plan
from curate.recipe import load_mix, load_recipe
from curate.recipe.lines import parse
from curate.store import Store

LOCK = "mix.lock.json"
_STEP = re.compile(r"mix-[0-9a-f]{16}")


@dataclass(frozen=True)
class Mixed:
    """A mixture resolved over the pool of a recipe."""

    name: str
    mixing: Mixing
    spec: MixSpec
    mixture: Mixture


def find_mixed(name: str, recipe: Callable[[], Path]) -> Mixed:
    """Returns the mixture a name stands for.

    A recipe brings its own pool; a file that holds only a mix, a lock, an output folder and a step of the store
    (``mix-…``) are resolved over the pool of ``recipe``, which is asked for only then.

    Raises:
        RecipeError: when the name stands for nothing.
        StoreError: when a lock's stream can't be made again from this pool.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and _is_recipe(path):
        mixing = open_mixing(make_plan(load_recipe(path)))
        return _resolved(name, mixing, mixing.recipe.mix)
    made = make_plan(load_recipe(recipe()))
    mixing = open_mixing(made)
    if path.suffix in (".yaml", ".yml"):
        return _resolved(name, mixing, load_mix(path))
    return _relocked(name, mixing, _read_lock(name, made.store))


def _is_recipe(path: Path) -> bool:
    if not path.is_file():
        raise RecipeError(f"{path}: no such file")
    data = parse(path.read_text(encoding="utf-8"), str(path)).data
    return isinstance(data, dict) and "sources" in data


def _resolved(name: str, mixing: Mixing, spec: MixSpec) -> Mixed:
    return Mixed(name, mixing, spec, mixing.resolve(spec))


def _read_lock(name: str, store: Store) -> dict[str, Any]:
    path = Path(name)
    if _STEP.fullmatch(name):
        artifact = store.artifact(name)
        if not artifact.complete:
            raise StoreError(f"{name}: no such finished step in {store.root}; `curate store ls` lists them")
        lock: dict[str, Any] = artifact.meta["lock"]
        return lock
    path = path / LOCK if path.is_dir() else path
    try:
        lock = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file; name a recipe, a lock, an output folder or a step `mix-…`") from None
    except orjson.JSONDecodeError as error:
        raise StoreError(f"{path}: this lock is damaged ({error})") from error
    if not isinstance(lock, dict) or not {"spec", "seed", "stream", "pool"} <= set(lock):
        raise StoreError(f"{path}: this is no lock of a mixture")
    return lock


def _relocked(name: str, mixing: Mixing, lock: dict[str, Any]) -> Mixed:
    """Resolves a lock's spec again and checks that it gives the lock's stream."""
    if "longest" not in lock:
        raise StoreError(f"{name}: this lock is of an earlier version; run its recipe again")
    mixing = replace(mixing, seed=lock["seed"], longest=lock["longest"])
    found = _resolved(name, mixing, MixSpec.model_validate(lock["spec"]))
    if found.mixture.sha256 != lock["stream"]["sha256"]:
        same = mixing.pool_key == lock["pool"]
        why = (
            "the split is another one"
            if same
            else f"the lock was made on pool {lock['pool']}, this is {mixing.pool_key}"
        )
        raise StoreError(
            f"{name}: its stream {lock['stream']['sha256'][:12]}… can't be made from this pool ({why}); name the recipe "
            "it was made with by --recipe"
        )
    return found
