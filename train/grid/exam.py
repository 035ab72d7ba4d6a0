"""Exams: multiple-choice questions read from JSON Lines, each with its options and which of them is right."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from curate.errors import TrainError

LETTERS = string.ascii_uppercase
SHAPE = '{"question": "…", "choices": ["…", "…"], "answer": 0}'


@dataclass(frozen=True)
class Item:
    """One question; the right option comes first, the others in the order of their text, whatever order the file has."""

    line: int
    question: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Exam:
    """The questions of one test, in the order of their file."""

    name: str
    path: Path
    items: tuple[Item, ...]


def read_exams(paths: Mapping[str, str]) -> tuple[Exam, ...]:
    """Returns the tests by name.

    Raises:
        TrainError: a file that is missing or holds no question, or an item that is none, with its line.
    """
    return tuple(Exam(name, Path(path), tuple(_read(name, Path(path)))) for name, path in sorted(paths.items()))


def check_names(exams: Iterable[Exam], abilities: Iterable[str]) -> None:
    """Sees to it that a name means one thing.

    Raises:
        TrainError: a test is named like an ability.
    """
    for exam in exams:
        if exam.name in abilities:
            raise TrainError(
                f"tests: {exam.name!r} is an ability of the pool too; give the test another name, such as '{exam.name} test'"
            )


def _read(name: str, path: Path) -> list[Item]:
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except OSError as error:
        raise TrainError(
            f"tests: {name}: can't read {path} ({error.strerror}); paths are relative to the folder the command runs in"
        ) from error
    items = [_item(f"{path}:{number}", number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not items:
        raise TrainError(f"tests: {name}: {path} holds no question; write one a line, as {SHAPE}")
    return items


def _item(place: str, number: int, line: bytes) -> Item:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise TrainError(f"{place}: no JSON ({error}); write one question a line, as {SHAPE}") from error
    if not isinstance(record, dict):
        raise TrainError(f"{place}: no question; write one a line, as {SHAPE}")
    question, options = record.get("question"), _options(record)
    if not isinstance(question, str) or not question.strip():
        raise TrainError(f"{place}: 'question' is missing or no text; write each item as {SHAPE}")
    if len(options) < 2 or not all(isinstance(text, str) and text.strip() for text in options):
        raise TrainError(
            f"{place}: two options or more are needed, each a text: a list 'choices' or 'options', {{A: …, B: …}}, or "
            "columns A, B, …"
        )
    if len(set(options)) < len(options):
        raise TrainError(f"{place}: two options are the same, so neither can be told right; leave the item out")
    right = _right(place, record.get("answer"), options)
    return Item(number, question, (options[right], *sorted(options[:right] + options[right + 1 :])))


def _options(record: dict[str, Any]) -> list[Any]:
    """Returns the options in the order of the file or of their letters; a text in place of a list is none."""
    found = record.get("choices", record.get("options", record))
    if isinstance(found, dict):
        last = sum(found.get(letter) is not None for letter in LETTERS)
        return [found.get(letter) for letter in LETTERS[:last]]
    return list(found) if isinstance(found, list) else []


def _right(place: str, answer: Any, options: list[str]) -> int:
    """Returns the index of the right option: told by its index from 0, its text or its letter."""
    if isinstance(answer, str):
        lettered = dict(zip(LETTERS, range(len(options)), strict=False))
        named = lettered.get(answer.strip().upper())
        found = {number for number, text in enumerate(options) if text == answer}
        found |= set() if named is None else {named}
    else:
        found = {number for number in range(len(options)) if type(answer) is int and answer == number}
    if len(found) != 1:
        said = "may be a letter or a text" if found else "is none of its options"
        raise TrainError(
            f"{place}: 'answer' {answer!r} {said}; give the right option's index, from 0 to {len(options) - 1}, its letter or "
            "its text"
        )
    return found.pop()
