"""Makes row frames for tests; a message is a dict or (role letter, content): s, u, a, t."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate.rows import CHAT_FIELDS, MESSAGE, ROW_SCHEMA, conform

_ROLES = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}


def message(given: Any) -> dict[str, Any]:
    """Returns a whole message."""
    named = given if isinstance(given, dict) else {"role": _ROLES[given[0]], "content": given[1]}
    return {**dict.fromkeys(MESSAGE.to_schema()), **named}


def rows_of(*records: dict[str, Any]) -> pl.DataFrame:
    """Returns rows with ids 0, 1, 2 … as 32 hex digits; ``kind`` is chat where it is not given."""
    full = []
    for number, record in enumerate(records):
        name = f"{number:032x}"
        row = {
            "id": name,
            "group": name,
            "source": "test",
            "ability": "test",
            "domain": False,
            "tags": [],
            "kind": "chat",
        }
        row |= {k: [message(m) for m in v] if k in CHAT_FIELDS and v is not None else v for k, v in record.items()}
        full.append(row)
    return conform(pl.DataFrame({k: [r.get(k) for r in full] for k in ROW_SCHEMA}, schema=ROW_SCHEMA))
