"""The slot grammar: templates with ``{slots}`` and ``[choices|like|these]`` become sentences, seeded."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Value = Sequence[str] | Callable[[random.Random], str]
"""What a slot draws from: an inventory of templates, or a function of the random generator."""

TEMPLATES = Path(__file__).parent / "templates"
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)(!?)\}")
_HEADER = re.compile(r"\[(\w+)\]")


def stream(*names: object) -> random.Random:
    """Returns the random generator of a named thing: the same for the same names in any process."""
    return random.Random("/".join(map(str, ("samples-17", *names))))


class Scene:
    """One text in the making: a slot drawn once keeps its value; ``{slot!}`` draws anew."""

    def __init__(self, rng: random.Random, bank: Mapping[str, Value]) -> None:
        self.rng = rng
        self.bank = bank
        self.bound: dict[str, str] = {}

    def say(self, template: str) -> str:
        """Returns the template with its choices taken and its slots filled."""
        while (match := _CHOICE.search(template)) is not None:
            pick = self.rng.choice(match[1].split("|"))
            template = template[: match.start()] + pick + template[match.end() :]
        return _SLOT.sub(lambda m: self.slot(m[1], fresh=bool(m[2])), template)

    def slot(self, name: str, fresh: bool = False) -> str:
        """Returns the value of a slot, drawn at its first use."""
        if fresh or name not in self.bound:
            source = self.bank[name]
            self.bound[name] = source(self.rng) if callable(source) else self.say(self.rng.choice(source))
        return self.bound[name]

    def pick(self, templates: Sequence[str]) -> str:
        """Returns one of the templates, said."""
        return self.say(self.rng.choice(templates))


Section = dict[str, tuple[str, ...]]


def load(name: str) -> dict[str, Section]:
    """Returns a template file: a ``[section]`` holds ``field = template`` lines, a field may repeat."""
    sections: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] = {}
    for line in (TEMPLATES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if (header := _HEADER.fullmatch(line)) is not None:
            current = sections.setdefault(header[1], {})
        elif line and not line.startswith("#"):
            field, _, template = line.partition(" = ")
            current.setdefault(field, []).append(template)
    return {key: {field: tuple(lines) for field, lines in part.items()} for key, part in sections.items()}


def load_slots(name: str) -> dict[str, tuple[str, ...]]:
    """Returns a slot file: every line is ``slot = value | value | value``."""
    slots: dict[str, tuple[str, ...]] = {}
    for line in (TEMPLATES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            slot, _, values = line.partition(" = ")
            slots[slot] = tuple(values.split(" | "))
    return slots
