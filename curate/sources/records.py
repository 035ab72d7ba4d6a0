"""A batch of parsed input records on their way to becoming rows, and parsing one JSON text with care."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import orjson

from curate.sources.quarantine import BadRow, bad_row
from curate.sources.reasons import Refusal


@dataclass
class Records:
    """Parsed records of one file with their line, byte offset and raw bytes, and what was refused on the way.

    ``lines`` of the input = ``len(values) + len(bad) + blank``. Without known offsets ``offsets`` is None.
    """

    file: int
    values: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    offsets: list[int] | None = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    blank: int = 0

    def add(self, value: Any, line: int, offset: int, raw: bytes) -> None:
        """Keeps one parsed record."""
        self.values.append(value)
        self.lines.append(line)
        self.raws.append(raw)
        if self.offsets is not None:
            self.offsets.append(offset)

    def refuse(self, line: int, offset: int, reason: str, detail: str, raw: bytes) -> None:
        """Keeps one record as bad."""
        known = offset if self.offsets is not None else None
        self.bad.append(bad_row(self.file, line, known, reason, detail, raw))


def parse(raw: bytes, encoding: str = "utf-8") -> Any:
    """Returns the value of one JSON text.

    Raises:
        Refusal: malformed_json, invalid_encoding or duplicate_key.
    """
    text = raw if encoding == "utf-8" else _recoded(raw, encoding)
    try:
        value = orjson.loads(text)
        if suspicious(text, value):
            refuse_duplicates(text)
    except orjson.JSONDecodeError as error:
        raise _why(text, error) from None
    except RecursionError:
        raise Refusal("malformed_json", "nested too deeply") from None
    return value


def _recoded(raw: bytes, encoding: str) -> bytes:
    try:
        return raw.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise Refusal("invalid_encoding", f"not {encoding} at byte {error.start} of the record") from None


def _why(text: bytes, error: orjson.JSONDecodeError) -> Refusal:
    try:
        text.decode()
    except UnicodeDecodeError as where:
        return Refusal("invalid_encoding", f"not UTF-8 at byte {where.start} of the record")
    return Refusal("malformed_json", str(error))


def suspicious(text: bytes, value: Any) -> bool:
    """Returns whether some object in the text may name a key twice: True for every text where one does.

    Each key is a quote and a colon. When there are as many of these as keys in the parsed value, no key was lost.
    """
    count = text.count(b'":')
    return count != key_count(value) or b" :" in text or b"\t:" in text or b"\r:" in text or b"\n:" in text


def key_count(value: Any) -> int:
    """Returns the number of keys of all objects in a JSON value."""
    kind = type(value)
    total = 0
    if kind is dict:
        total = len(value)
        for item in value.values():
            if type(item) is dict or type(item) is list:
                total += key_count(item)
    elif kind is list:
        for item in value:
            if type(item) is dict or type(item) is list:
                total += key_count(item)
    return total


def refuse_duplicates(text: bytes) -> None:
    """Parses the text once more, strictly.

    Raises:
        Refusal: duplicate_key, naming the key.
    """

    def strict(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Refusal("duplicate_key", f"key {key!r} is there twice")
            seen.add(key)

    json.loads(text, object_pairs_hook=strict, parse_int=len, parse_float=len)
