"""Rows as conversations: one flat frame of messages for vectorised work, plain dicts for the template."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from curate.chat.forms import Message
from curate.rows import flat_messages as every_message

TOOL_FIELDS = ("tool_calls", "tool_call_id", "name", "reasoning_content")
"""Message fields whose rendering depends on more than a role and a content."""
SEEN_FIELDS = ("role", "content", *TOOL_FIELDS)
WHITESPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
"""What Python's ``str.strip`` strips (polars' own notion differs by a few control characters)."""


def flat_messages(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns the messages of all chat rows, one a line: row, turn and the message fields."""
    chats = rows.select(messages=pl.when(pl.col("kind") == "chat").then("messages"))
    return every_message(chats)


def message_dicts(messages: list[dict[str, Any]]) -> list[Message]:
    """Returns messages as the transformers library shows them to a template: no null field, tool calls as objects."""
    return [_message_dict(message) for message in messages]


def _message_dict(message: dict[str, Any]) -> Message:
    seen: Message = {field: message[field] for field in SEEN_FIELDS if message.get(field) is not None}
    if isinstance(seen.get("tool_calls"), str):
        seen["tool_calls"] = orjson.loads(seen["tool_calls"])
    if not seen.get("tool_calls", True):
        del seen["tool_calls"]
    return seen


def tool_dicts(tools: str | None) -> list[dict[str, Any]] | None:
    """Returns the tools of a row as a template sees them, or None."""
    return (orjson.loads(tools) or None) if tools else None


def trained_turns(messages: list[dict[str, Any]], train_on: str) -> list[int]:
    """Returns which messages are trained: assistant turns of nonzero weight, all or only the last assistant turn."""
    turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    turns = turns[-1:] if train_on == "last" else turns
    return [i for i in turns if messages[i].get("weight") != 0]
