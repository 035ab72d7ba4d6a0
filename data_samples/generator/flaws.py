"""Planted flaws: a record says what is wrong with it; the writer notes where it landed; NOTES.md lists them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Flaw:
    """One planted flaw: a short code, the stage that must act, what it must do, and a piece of text to find it by."""

    code: str
    stage: str
    must: str
    marker: str


@dataclass(frozen=True)
class Record:
    """One record of a sample file: a JSON value (or the raw text of a broken line) and its flaw, if planted."""

    value: Any
    flaw: Flaw | None = None
    raw: str | None = None


@dataclass(frozen=True)
class Note:
    """One line of NOTES.md: a flaw and the place it landed."""

    file: str
    place: str
    flaw: Flaw


def compact(value: Any) -> str:
    """Returns a value as one line of JSON, its text readable."""
    return json.dumps(value, ensure_ascii=False)


def spread(rng: Any, clean: Sequence[Record], planted: Sequence[Record]) -> list[Record]:
    """Returns the clean records with the planted ones put between them at random places, in their order."""
    places = sorted(rng.sample(range(len(clean) + len(planted)), len(planted)))
    mixed = list(clean)
    for place, record in zip(places, planted, strict=True):
        mixed.insert(place, record)
    return mixed


def write_jsonl(root: Path, file: str, records: Sequence[Record]) -> list[Note]:
    """Writes one record per line and returns a note for each flaw, its place the line number from 1."""
    lines = [record.raw if record.raw is not None else compact(record.value) for record in records]
    _write(root / file, "\n".join(lines) + "\n")
    return [Note(file, f"line {at}", r.flaw) for at, r in enumerate(records, 1) if r.flaw is not None]


def write_array(root: Path, file: str, records: Sequence[Record]) -> list[Note]:
    """Writes a JSON array, one element per line, and returns a note for each flaw, its place the element from 0."""
    _write(root / file, "[\n" + ",\n".join(compact(record.value) for record in records) + "\n]\n")
    return [Note(file, f"element {at}", r.flaw) for at, r in enumerate(records) if r.flaw is not None]


def write_notes(root: Path, notes: Sequence[Note]) -> None:
    """Writes NOTES.md: the table of every planted flaw."""
    lines = [
        "# What is wrong with the sample data, on purpose",
        "",
        "Written by `generate.py` together with the data. `line` counts from 1 (jsonl, one record a line), `element` from",
        "0 (the items of a JSON array), `call` is the value of `call_id`. `marker` is a piece of text found at the place.",
        "",
        "| file | place | flaw | stage | what it must do | marker |",
        "|---|---|---|---|---|---|",
    ]
    for note in notes:
        flaw = note.flaw
        cells = (note.file, note.place, f"`{flaw.code}`", flaw.stage, flaw.must, f"`{flaw.marker}`")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    _write(root / "NOTES.md", "\n".join(lines) + "\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
