"""JSON texts seen as the strings and numbers in them, so that personal data is found and replaced and JSON stays JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import orjson

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+\-]?[0-9]+)?', re.DOTALL)


def is_json(text: str) -> bool:
    """Returns whether the text is a JSON object or array."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def spoken(text: str) -> str:
    """Returns the strings and numbers of a JSON text, escapes undone, one below the other."""
    return "\n".join(_plain(token) for token in _TOKEN.findall(text))


def _plain(token: str) -> str:
    return str(orjson.loads(token)) if token.startswith('"') else token.removesuffix(".0")


def rewritten(text: str, rewrite: Callable[[str], str]) -> str:
    """Returns the JSON text with every string and number rewritten; a number that changes becomes a string.

    What stays the same is not touched, not even its spelling.
    """

    def token(match: re.Match[str]) -> str:
        before = _plain(match.group())
        after = rewrite(before)
        return match.group() if after == before else json.dumps(after, ensure_ascii=False)

    return _TOKEN.sub(token, text)
