"""Shapes that become chats: messages, ShareGPT, Alpaca, prompt/completion and question/answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curate.sources.reasons import Refusal
from curate.sources.shapes.tools import tool_list
from curate.sources.shapes.turns import Message, Turns

Record = dict[str, Any]
Convert = Callable[[Record], Record]
"""Turns a record into content: kind, and the content fields that are not null. Raises Refusal."""


def text_of(record: Record, column: str) -> str:
    """Returns the text in a column the shape needs.

    Raises:
        Refusal: missing_column, null_content or wrong_type.
    """
    value = record.get(column)
    if type(value) is str:
        return value
    if value is None:
        raise Refusal("null_content" if column in record else "missing_column", f"{column!r}")
    raise Refusal("wrong_type", f"{column!r} is {type(value).__name__}, not text")


def value_of(record: Record, column: str) -> Any:
    """Returns the value in a column the shape needs.

    Raises:
        Refusal: missing_column or null_content.
    """
    value = record.get(column)
    if value is None:
        raise Refusal("null_content" if column in record else "missing_column", f"{column!r}")
    return value


def with_system(messages: list[Message], record: Record, column: str | None) -> list[Message]:
    """Puts the text of the system column in front; a system message that is there already follows it in one."""
    if column is None or not record.get(column):
        return messages
    system = text_of(record, column)
    if messages and messages[0]["role"] == "system":
        own = messages[0].get("content", "")
        joined = own if own.startswith(system) else f"{system}\n{own}"
        return [{**messages[0], "content": joined}, *messages[1:]]
    return [{"role": "system", "content": system}, *messages]


def with_tools(content: Record, record: Record, column: str | None) -> Record:
    """Adds the tools column to the content."""
    if column is not None and (value := record.get(column)):
        tools = tool_list(value)
        if tools is not None:
            content["tools"] = tools
    return content


def from_messages(columns: dict[str, str], turns: Turns) -> Convert:
    """Reads a column of messages (`messages` or `conversations`)."""
    column = columns.get("messages") or columns["conversations"]
    system, tools, many = columns.get("system"), columns.get("tools"), turns.many

    def convert(record: Record) -> Record:
        if column not in record:
            raise Refusal("missing_column", f"{column!r}")
        messages = many(record[column], column)
        if system is not None:
            messages = with_system(messages, record, system)
        content: Record = {"kind": "chat", "messages": messages}
        return content if tools is None else with_tools(content, record, tools)

    return convert


def from_alpaca(columns: dict[str, str], turns: Turns) -> Convert:
    """Reads instruction (and input, below it), output, earlier turns and system."""
    instruction, output = columns["instruction"], columns["output"]

    def convert(record: Record) -> Record:
        messages = _history(record, columns.get("history"))
        messages.append({"role": "user", "content": instructed(record, instruction, columns.get("input"))})
        messages.append({"role": "assistant", "content": text_of(record, output)})
        messages = with_system(messages, record, columns.get("system"))
        return with_tools({"kind": "chat", "messages": messages}, record, columns.get("tools"))

    return convert


def instructed(record: Record, instruction: str, given: str | None) -> str:
    """Returns the instruction, with the input on the line below when there is one."""
    text = text_of(record, instruction)
    if given is None or no_input(record.get(given)):
        return text
    more = text_of(record, given)
    return f"{text}\n{more}" if text else more


_NO_INPUT = frozenset(("", "noinput", "<noinput>", "no input", "none", "n/a"))


def no_input(value: Any) -> bool:
    """Returns whether an input column says that there is none: nothing, or a whole word for it such as `<noinput>`."""
    return not value or (type(value) is str and len(value) < 32 and value.strip().lower() in _NO_INPUT)


def _history(record: Record, column: str | None) -> list[Message]:
    pairs = record.get(column) if column is not None else None
    if not pairs:
        return []
    messages: list[Message] = []
    for pair in pairs if type(pairs) is list else [None]:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str or type(pair[1]) is not str:
            raise Refusal("wrong_type", f"{column!r} is not a list of [question, answer] texts")
        messages += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    return messages


def from_pair(asked: str, answered: str, columns: dict[str, str], turns: Turns) -> Convert:
    """Reads a prompt and its answer, each text or messages; assistant turns inside the prompt are not trained."""

    def convert(record: Record) -> Record:
        prompt = turns.said("user", value_of(record, asked), asked)
        messages = [_untrained(m) if m["role"] == "assistant" else m for m in prompt]
        messages += turns.said("assistant", value_of(record, answered), answered)
        messages = with_system(messages, record, columns.get("system"))
        return with_tools({"kind": "chat", "messages": messages}, record, columns.get("tools"))

    return convert


def _untrained(message: Message) -> Message:
    return {**message, "weight": 0}
