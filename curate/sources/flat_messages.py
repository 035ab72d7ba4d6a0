"""Message lists as one column, built from flat lists of all roles and all contents of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from curate.rows import MESSAGE, ROLES, assemble

_ROLES = frozenset(ROLES)


def message_column(lists: Sequence[list[dict[str, Any]]]) -> pl.Series:
    """Returns a column of message lists from lists of messages that hold only fields of MESSAGE."""
    flat = list(chain.from_iterable(lists))
    present = set(chain.from_iterable(flat))
    return _column(lists, {name: [m.get(name) for m in flat] for name in MESSAGE.to_schema() if name in present})


@dataclass(frozen=True)
class PlainMessages:
    """The message lists of a batch, their column, and how many keys all records have together (None: not known)."""

    lists: list[list[dict[str, Any]]]
    column: pl.Series
    keys: int | None


def plain_messages(values: list[Any], column: str) -> PlainMessages | None:
    """Returns the messages in a column of the records when all of them are plain: a list of messages with a role of
    ours, a text and nothing else, the first of them not blank. None when any is not.
    """
    try:
        lists: list[list[dict[str, Any]]] = [value[column] for value in values]
        if set(map(type, values)) != {dict} or set(map(type, lists)) != {list}:
            return None
        flat = list(chain.from_iterable(lists))
        roles = [m["role"] for m in flat]
        contents = [m["content"] for m in flat]
        blank = any(not messages[0]["content"].strip() for messages in lists)
        if blank or set(map(len, flat)) != {2} or set(map(type, contents)) != {str} or not set(roles) <= _ROLES:
            return None
    except (KeyError, TypeError, IndexError, AttributeError):
        return None
    kinds = Counter(map(type, chain.from_iterable(map(dict.values, values))))
    keys = sum(map(len, values)) + 2 * len(flat) if not kinds[dict] and kinds[list] == len(lists) else None
    return PlainMessages(lists, _column(lists, {"role": roles, "content": contents}), keys)


def _column(lists: Sequence[list[dict[str, Any]]], fields: dict[str, list[Any]]) -> pl.Series:
    lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    row = pl.Series(np.repeat(np.arange(len(lists)), lengths))
    columns = {
        name: pl.Series(fields[name], dtype=dtype)
        if name in fields
        else pl.repeat(None, len(row), dtype=dtype, eager=True)
        for name, dtype in MESSAGE.to_schema().items()
    }
    return assemble(pl.DataFrame({"row": row, **columns}), len(lists))
