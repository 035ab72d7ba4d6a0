"""Reads chat JSONL for the deduplication peers: each line as it is, and the text of its turns joined."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson


def read(path: Path) -> Iterator[tuple[bytes, str]]:
    """Yields each line and its text, turns on lines of their own."""
    with path.open("rb") as file:
        for line in file:
            yield line, "\n".join(message["content"] for message in orjson.loads(line)["messages"])


def five_grams(text: str) -> list[str]:
    """Returns the character 5-grams of a text; a shorter text is one."""
    return [text[i : i + 5] for i in range(max(1, len(text) - 4))]


def write_kept(source: Path, target: Path, keep: list[bool]) -> None:
    """Copies the lines to keep."""
    with source.open("rb") as lines, target.open("wb") as file:
        file.writelines(line for line, kept in zip(lines, keep, strict=True) if kept)
