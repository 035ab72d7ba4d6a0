"""Options: the choices of a question, from columns of many shapes or from labelled lines of its text."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import Any

_LABEL = re.compile(r"(?:(?<=\s)|^|(?<=[？?。.:：;；]))[(（\[]?([A-Ja-j])[)）\].．、:：](?=\s*\S)")
_NUMBERED = ("option{}", "choice{}", "ending{}", "sol{}", "option_{}", "option_{}", "choice_{}")
_LISTS = ("choices", "options", "endings", "mc1_targets", "选项", "备选")
_TEXTS = ("text", "texts", "choices")


def choices_of(record: dict[str, Any], column: str | None) -> tuple[str, ...]:
    """Returns the texts of a record's options: of the given column, or of whatever column looks like them."""
    if column is not None:
        return tuple(_listed(record.get(column)))
    lowered = {key.strip().lower(): value for key, value in record.items()}
    for name in _LISTS:
        if found := tuple(_listed(lowered.get(name))):
            return found
    return tuple(_lettered(lowered)) or tuple(_counted(lowered))


def _listed(value: Any) -> Iterator[str]:
    """Yields texts of a list, of {text: [...]}, of {A: ..., B: ...}, of [{label, text}], or of labelled lines."""
    if isinstance(value, str):
        yield from split_options(f"\n{value}")[1]
    elif isinstance(value, dict):
        texts = next((value[name] for name in _TEXTS if isinstance(value.get(name), list)), list(value.values()))
        yield from (text for text in texts if isinstance(text, str) and text.strip())
    elif isinstance(value, list):
        for entry in value:
            text = entry.get("text", entry.get("content")) if isinstance(entry, dict) else entry
            if text is not None and str(text).strip():
                yield split_label(str(text))


def _lettered(record: dict[str, Any]) -> Iterator[str]:
    """Yields the columns A, B, C …, when there are at least two."""
    if {"a", "b"} <= record.keys():
        for letter in string.ascii_lowercase[:10]:
            if letter in record and record[letter] is not None and str(record[letter]).strip():
                yield str(record[letter])


def _counted(record: dict[str, Any]) -> Iterator[str]:
    """Yields option1, option2 … or endings and solutions numbered like that, from 0 or 1."""
    for pattern in _NUMBERED:
        names = [pattern.format(number) for number in range(11)]
        found = [str(record[name]) for name in names if record.get(name) not in (None, "")]
        if len(found) > 1:
            yield from found
            return


def split_label(text: str) -> str:
    """Returns an option without the letter in front of it."""
    found = re.match(r"\s*[(（\[]?[A-Ja-j][)）\].．、:：]\s*", text)
    rest = text[found.end() :] if found else ""
    return rest if rest.strip() else text


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """Returns a question's text before its labelled options A, B, C …, and the options; none when they are no run."""
    marks = list(_LABEL.finditer(text))
    best: list[re.Match[str]] = []
    for start, first in enumerate(marks):
        if first.group(1).upper() != "A":
            continue
        run = [first]
        for mark in marks[start + 1 :]:
            if ord(mark.group(1).upper()) == ord(run[-1].group(1).upper()) + 1:
                run.append(mark)
        if len(run) > max(1, len(best)):
            best = run
    if len(best) < 2:
        return text, ()
    ends = [*(mark.start() for mark in best[1:]), len(text)]
    options = tuple(text[mark.end() : end].strip() for mark, end in zip(best, ends, strict=True))
    return text[: best[0].start()].rstrip(), options
