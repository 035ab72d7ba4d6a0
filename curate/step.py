"""A step: a cached node of a run, named by what it does and addressed by its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from curate.fingerprint import key_of

FORMAT = 2
"""Raised whenever the files of the store change their meaning; every key changes with it."""


@dataclass(frozen=True)
class Step:
    """One step: ``identity`` is canonical JSON of what it does and of its inputs' keys; ``key`` is its hash."""

    name: str
    identity: bytes
    inputs: tuple[Step, ...] = ()

    @property
    def key(self) -> str:
        """The content address: 16 hex digits."""
        return key_of(self.identity)

    @property
    def folder(self) -> str:
        """The name of the step's folder in the store."""
        return f"{self.name}-{self.key}"


def make_step(name: str, does: Any, inputs: tuple[Step, ...] = ()) -> Step:
    """Returns a step from what it does (canonical JSON data) and the steps it reads."""
    identity = {"format": FORMAT, "step": name, "does": does, "inputs": {i.name: i.key for i in inputs}}
    return Step(name, orjson.dumps(identity, option=orjson.OPT_SORT_KEYS), inputs)


def why_changed(old: bytes, new: bytes) -> str:
    """Returns in words what differs between two identities of a step of one name."""
    before, after = orjson.loads(old), orjson.loads(new)
    if before["does"] == after["does"]:
        names = {**after["inputs"], **before["inputs"]}
        changed = [name for name in names if before["inputs"].get(name) != after["inputs"].get(name)]
        return f"its input changed: {', '.join(changed)}" if changed else "the store's format changed"
    return "; ".join(_differences(before["does"], after["does"], ""))


def _differences(old: Any, new: Any, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        found: list[str] = []
        for name in sorted({*old, *new}):
            found += _differences(old.get(name), new.get(name), f"{path}.{name}" if path else name)
        return found
    return [] if old == new else [f"{path}: {_short(old)} → {_short(new)}"]


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else text[:57] + "…"
