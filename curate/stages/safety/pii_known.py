"""The personal data known in a row, replaced in any text of it: what a finder sees, and the same spelling elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from curate.stages.safety.pii_finders import Found
from curate.stages.safety.pii_json import is_json, rewritten

_SECRETS = ("SECRET", "CREDENTIALS")
_FILLING = re.compile(r"[\s\-().·•・]")


def spellings(kind: str, raw: str, value: str) -> tuple[str, ...]:
    """Returns the spellings by which a value is known in other texts, without the words that told it from others.

    Secrets that could be a word or a short number ("test", "1234") have none: only a finder knows them again.
    """
    if kind in _SECRETS:
        plain = len(raw) < 6 or not any(character.isdigit() or character == ":" for character in raw)
        return () if plain else (raw,)
    bare = () if kind in ("EMAIL", "IP") else (_FILLING.sub("", raw),)
    return tuple(dict.fromkeys((raw, *bare, value)))


@dataclass(frozen=True)
class Known:
    """The values known in one row: their placeholders by type and value, and by spelling."""

    values: dict[tuple[str, str], str]
    spelled: dict[str, str]
    find: Callable[[str], list[Found]]
    allowed: Callable[[str], bool]

    def put(self, text: str) -> str:
        """Returns the text, plain or JSON, with placeholders for the known values."""
        return rewritten(text, self.put) if is_json(text) else self._in_plain(text)

    def _in_plain(self, text: str) -> str:
        spans = [(item.start, item.end, self._placeholder(item, text)) for item in self.find(text)]
        seen = list(spans)
        for match in self._spelled_in(text):
            if all(match.end() <= start or match.start() >= end for start, end, _ in seen):
                spans.append((match.start(), match.end(), self.spelled[match.group()]))
        pieces, last = [], 0
        for start, end, placeholder in sorted(spans):
            if placeholder:
                pieces += [text[last:start], placeholder]
                last = end
        return "".join([*pieces, text[last:]])

    def _placeholder(self, item: Found, text: str) -> str:
        placeholder = self.values.get((item.type, item.value), "")
        return "" if placeholder and self.allowed(text[item.start : item.end]) else placeholder

    def _spelled_in(self, text: str) -> list[re.Match[str]]:
        there = sorted((s for s in self.spelled if s in text), key=lambda spelling: (-len(spelling), spelling))
        return list(re.finditer("|".join(map(_bounded, there)), text)) if there else []


def _bounded(spelling: str) -> str:
    """A pattern of the spelling that is no part of a longer number or word."""
    before = r"(?<![0-9A-Za-z_+])(?<![0-9][.\-])" if spelling[0].isascii() else ""
    after = r"(?![0-9A-Za-z_]|\.[0-9]|-[0-9]{5})" if spelling[-1].isascii() and spelling[-1].isalnum() else ""
    return before + re.escape(spelling) + after
