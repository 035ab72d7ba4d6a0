"""Builders of row frames for the tests of stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from curate.rows import CHAT_FIELDS, MESSAGE, ROW_SCHEMA, conform

ROLES = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
Record = dict[str, Any]


def _message(message: Any) -> Record:
    given = (
        {"role": ROLES.get(message[0], message[0]), "content": message[1]} if isinstance(message, tuple) else message
    )
    return {**dict.fromkeys(MESSAGE.to_schema()), **given}


def _record(number: int, record: Record) -> Record:
    name = f"{number:032x}"
    full = {"id": name, "group": name, "source": "test", "ability": "test", "domain": False, "tags": [], **record}
    for field in set(CHAT_FIELDS) & full.keys():
        full[field] = None if full[field] is None else [_message(message) for message in full[field]]
    return full


def _make_rows(*records: Record) -> pl.DataFrame:
    full = [_record(number, {"kind": "chat", **record}) for number, record in enumerate(records)]
    return conform(pl.DataFrame({k: [r.get(k) for r in full] for k in ROW_SCHEMA}, schema=ROW_SCHEMA))


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., pl.DataFrame]:
    """Builds rows from records; a message is a dict or (role letter, content): s, u, a, t."""
    return _make_rows


@pytest.fixture(scope="session")
def make_chats() -> Callable[..., pl.DataFrame]:
    """Builds chat rows from lists of messages."""
    return lambda *chats: _make_rows(*({"messages": chat} for chat in chats))


def _short(message: Record) -> tuple[str, str | None]:
    return message["role"][0], message["content"]


@pytest.fixture(scope="session")
def said() -> Callable[[pl.Series], list[Any]]:
    """Gives the messages of a column as lists of (role letter, content)."""
    return lambda column: [None if m is None else [_short(x) for x in m] for m in column.to_list()]
