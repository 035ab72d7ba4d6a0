"""The writing tasks (Alpaca): letters, notices, adverts, stories, rewrites, plans and poems in two languages."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from .alpaca_flaws import planted
from .dialogue import bank
from .flaws import Note, Record, spread, write_array
from .grammar import Scene, Section, load, load_slots, stream

_COUNT = 440
_PROSE = ("leave", "notice", "letter", "poem", "plan")
"""Genres whose parts stand on lines of their own."""


def _parts(section: Section) -> list[str]:
    return sorted(field for field in section if field.startswith("p"))


def _task(rng: random.Random, key: str, section: Section) -> dict[str, Any]:
    language, genre = key.split("_")
    scene = Scene(rng, bank(language) | load_slots(f"slots_writing_{language}"))
    task = {"instruction": scene.pick(section["ask"]), "input": scene.pick(section.get("input", ("",)))}
    joint = "\n" if genre in _PROSE else ("" if language == "zh" else " ")
    sentences = [scene.pick(section[part]) for part in _parts(section)]
    if language == "en":
        sentences = [sentence[0].upper() + sentence[1:] for sentence in sentences]
    task["instruction"] += "。" if language == "zh" else "."
    return {**task, "output": joint.join(sentences)}


def write_writing(root: Path) -> list[Note]:
    """Writes general/writing.json and returns its notes."""
    sections = load("writing")
    keys = sorted(sections)
    clean: list[Record] = []
    seen: set[str] = set()
    for i in range(_COUNT):
        key = keys[i % len(keys)]
        task = _task(stream("writing", i), key, sections[key])
        if task["instruction"] + task["input"] not in seen:
            seen.add(task["instruction"] + task["input"])
            clean.append(Record(task))
    stream("writing", "order").shuffle(clean)
    return write_array(
        root, "general/writing.json", spread(stream("writing", "spread"), clean, planted("writing", clean))
    )
