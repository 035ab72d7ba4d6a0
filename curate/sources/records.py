"""A batch of parsed input records on their way to becoming rows, and parsing one JSON text with care."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
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
    unchecked: bytes = b""  # the text of all values, while nobody has looked for keys named twice

    def add(self, value: Any, line: int, offset: int, raw: bytes) -> None:
        """Keeps one parsed record."""
        self.values.append(value)
        self.lines.append(line)
        self.raws.append(raw)
        if self.offsets is not None:
            self.offsets.append(offset)

    def settle(self, keys: int | None = None) -> bool:
        """Refuses the records that name a key twice, unless that was done; returns whether there were any.

        ``keys`` is the number of keys of all values, when the caller knows it.
        """
        text, self.unchecked = self.unchecked, b""
        if not text or not suspicious(text, self.values, keys):
            return False
        before, kept = len(self.bad), []
        for index, (raw, value) in enumerate(zip(self.raws, self.values, strict=True)):
            try:
                if suspicious(raw, value):
                    refuse_duplicates(raw)
                kept.append(index)
            except Refusal as refusal:
                offset = self.offsets[index] if self.offsets is not None else 0
                self.refuse(self.lines[index], offset, refusal.reason, refusal.detail, raw)
        if len(self.bad) == before:
            return False
        self.values = [self.values[index] for index in kept]
        self.lines = [self.lines[index] for index in kept]
        self.raws = [self.raws[index] for index in kept]
        self.offsets = [self.offsets[index] for index in kept] if self.offsets is not None else None
        return True

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


def suspicious(text: bytes, value: Any, keys: int | None = None) -> bool:
    """Returns whether an object in the text may name a key twice; True for every text where one does.

    ``value`` is what the text was parsed to (for many lines the list of their values), ``keys`` its number of keys
    when known. Each key is a quote and a colon, when no blank is between them. As many of these in the text as keys in
    the value, or as in the value written anew, mean that no key was lost.
    """
    if (times(text, b" :") and _LOOSE.search(text)) or b"\t" in text or (b"\r" in text and _LOOSE.search(text)):
        return True
    count = times(text, b'":')
    if count == keys:
        return False
    if b"\\u00" in text:  # a quote or colon in a string may be spelled in two ways
        return count != key_count([value])
    try:
        return count != times(orjson.dumps(value), b'":')
    except TypeError:  # nested deeper than the writer goes
        return True


def times(text: bytes, pair: bytes) -> int:
    """Returns how often two different bytes stand side by side, in long texts many times as fast as ``bytes.count``."""
    if len(text) < _LONG:
        return text.count(pair)
    wanted = int.from_bytes(pair, "little")
    halves = (np.frombuffer(text, "<u2", (len(text) - at) // 2, at) for at in (0, 1))
    return sum(int(np.count_nonzero(half == wanted)) for half in halves)


_LONG = 1 << 12
_LOOSE = re.compile(rb'"\s+:')


def key_count(values: list[Any]) -> int:
    """Returns the number of keys of all objects in some JSON values."""
    total, level = 0, values
    while level:
        objects = [value for value in level if type(value) is dict]
        lists = [value for value in level if type(value) is list]
        total += sum(map(len, objects))
        items = chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(lists))
        level = [item for item in items if type(item) is dict or type(item) is list]
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
