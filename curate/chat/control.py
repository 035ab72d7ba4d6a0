"""Control-token strings inside data: finding them, and rendering them so that they stay ordinary text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson
import polars as pl

MARK, UNMARK = "\ufdd0", "\ufdd1"
"""Noncharacters put around a control-token string of the data while the template renders it."""
DATA_FIELDS = ("content", "reasoning_content", "name", "tool_calls", "tool_call_id")


def rows_with_control_tokens(rows: pl.DataFrame, flat: pl.DataFrame, control_tokens: tuple[str, ...]) -> pl.Series:
    """Returns for each row whether its messages, tools or text hold a control-token string.

    JSON columns are searched as the values they stand for, so an escape can't hide a token.
    """
    found = pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True)
    if not control_tokens:
        return found
    patterns = list(control_tokens)
    columns = [_unescaped(rows["tools"]), rows["text"]]
    for column in columns:
        if column.null_count() < rows.height:
            found = found | column.str.contains_any(patterns).fill_null(False)
    held = [flat[name] if name != "tool_calls" else _unescaped(flat[name]) for name in DATA_FIELDS]
    in_messages = [
        flat["row"].filter(column.str.contains_any(patterns).fill_null(False))
        for column in held
        if column.null_count() < flat.height
    ]
    if in_messages:
        hits = pl.concat(in_messages).unique(maintain_order=True)
        found = found.scatter(hits, True)
    return found


def _unescaped(column: pl.Series) -> pl.Series:
    """Returns a JSON column with the escapes that could hide letters written out."""
    escaped = column.str.contains(r"\\[u/]").fill_null(False)
    if not escaped.any():
        return column
    values = [orjson.dumps(orjson.loads(text)).decode() for text in column.filter(escaped)]
    return column.scatter(escaped.arg_true(), pl.Series(values, dtype=pl.String))


def mark(value: Any, pattern: re.Pattern[str]) -> Any:
    """Returns messages or tools with every control-token string inside values marked."""
    if isinstance(value, str):
        return pattern.sub(lambda m: f"{MARK}{m.group()}{UNMARK}", value)
    if isinstance(value, dict):
        return {mark(k, pattern): item if k == "role" else mark(item, pattern) for k, item in value.items()}
    if isinstance(value, list):
        return [mark(item, pattern) for item in value]
    return value


def marks_in(value: Any) -> bool:
    """Says whether the data already holds the marks themselves."""
    text = orjson.dumps(value).decode()
    return MARK in text or UNMARK in text


@lru_cache(maxsize=8)
def control_pattern(control_tokens: tuple[str, ...]) -> re.Pattern[str]:
    """Returns a pattern matching any control token, the longest first."""
    words: Iterable[str] = sorted(control_tokens, key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, words)) or r"(?!)")
