"""Builds chat rows, and tokenizer folders for any template out of the sample tokenizer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from curate.rows import MESSAGE, ROW_SCHEMA, conform

SAMPLE_TOKENIZER = Path(__file__).parents[2] / "data_samples" / "tokenizer"
MESSAGE_FIELDS = tuple(MESSAGE.to_schema())
SPECIAL = re.compile(
    r"<\|[^|<>\s'\"]{1,40}\|>|<｜[^<>｜]{1,40}｜>|</?s>|\[/?INST\]|\[gMASK\]|<sop>|<(?:start|end)_of_(?:turn|utterance)>"
    r"|<\|?(?:turn|channel|tool_call|tool_response|tool)\|?>"
)
ORDINARY = {"<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"}

Message = dict[str, Any]


def system(content: str) -> Message:
    """A system message."""
    return {"role": "system", "content": content}


def user(content: str) -> Message:
    """A user message."""
    return {"role": "user", "content": content}


def assistant(content: str | None, **fields: Any) -> Message:
    """An assistant message; further fields as given."""
    return {"role": "assistant", "content": content, **fields}


def tool(content: str) -> Message:
    """What the one tool answered."""
    return {"role": "tool", "content": content, "name": "get_weather", "tool_call_id": "abcd12345"}


def calls(**arguments: Any) -> str:
    """The tool_calls column of one call of get_weather."""
    function = {"name": "get_weather", "arguments": arguments}
    return json.dumps([{"type": "function", "id": "abcd12345", "function": function}], ensure_ascii=False)


TOOLS = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "查天气 of a city",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            },
        }
    ],
    ensure_ascii=False,
)


def chat_row(messages: list[Message], tools: str | None = None) -> dict[str, Any]:
    """A row of kind chat as a dict of the row schema."""
    filled = [{name: message.get(name) for name in MESSAGE_FIELDS} for message in messages]
    return {**dict.fromkeys(ROW_SCHEMA), "kind": "chat", "messages": filled, "tools": tools}


def text_row(text: str) -> dict[str, Any]:
    """A row of kind text."""
    return {**dict.fromkeys(ROW_SCHEMA), "kind": "text", "text": text}


def rows_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """A frame of the row schema."""
    return conform(pl.DataFrame(list(rows), schema=ROW_SCHEMA))


def chats(*conversations: list[Message]) -> pl.DataFrame:
    """A frame of chat rows without tools."""
    return rows_of(*(chat_row(messages) for messages in conversations))


def tokenizer_folder(folder: Path, template: str, mentions: str = "") -> str:
    """Writes the sample tokenizer with another template, every control token the template names added."""
    folder.mkdir(parents=True, exist_ok=True)
    data = json.loads((SAMPLE_TOKENIZER / "tokenizer.json").read_text("utf-8"))
    known = {token["content"] for token in data["added_tokens"]}
    wanted = (set(SPECIAL.findall(template + mentions)) | ORDINARY | {"<s>", "</s>"}) - known
    first = max([*data["model"]["vocab"].values(), *(token["id"] for token in data["added_tokens"])]) + 1
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    data["added_tokens"] += [
        {"id": first + i, "content": text, "special": text not in ORDINARY, **flags}
        for i, text in enumerate(sorted(wanted))
    ]
    (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    config = {"bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    return str(folder)
