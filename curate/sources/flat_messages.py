"""Message lists as one column, built from flat lists of all roles and all contents of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.rows import MESSAGE, ROLES, assemble

OUR_ROLES = frozenset(ROLES)


def message_column(lists: Sequence[list[dict[str, Any]]]) -> pl.Series:
    """Returns a column of message lists from lists of messages that hold only fields of MESSAGE."""
    flat = list(chain.from_iterable(lists))
    present = set(chain.from_iterable(flat))
    fields = {name: [m.get(name) for m in flat] for name in MESSAGE.to_schema() if name in present}
    return joined_messages(_lengths(lists), fields)


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
        if blank or set(map(len, flat)) != {2} or set(map(type, contents)) != {str} or not set(roles) <= OUR_ROLES:
            return None
    except (KeyError, TypeError, IndexError, AttributeError):
        return None
    kinds = Counter(map(type, chain.from_iterable(map(dict.values, values))))
    keys = sum(map(len, values)) + 2 * len(flat) if not kinds[dict] and kinds[list] == len(lists) else None
    return PlainMessages(lists, joined_messages(_lengths(lists), {"role": roles, "content": contents}), keys)


def _lengths(lists: Sequence[list[dict[str, Any]]]) -> NDArray[np.int64]:
    return np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))


def joined_messages(lengths: NDArray[np.int64], fields: Mapping[str, Sequence[Any] | pl.Series]) -> pl.Series:
    """Returns a column of lists of so many messages each from the values of all messages; fields not given are null."""
    row = pl.Series(np.repeat(np.arange(len(lengths)), lengths))
    columns = {
        name: pl.Series(fields[name], dtype=dtype)
        if name in fields
        else pl.repeat(None, len(row), dtype=dtype, eager=True)
        for name, dtype in MESSAGE.to_schema().items()
    }
    return assemble(pl.DataFrame({"row": row, **columns}), len(lengths))
