"""How a template wants its messages spelled: contents as parts, arguments as text, absent contents; found by trying."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Message = dict[str, Any]
NO_CONTENT: tuple[Literal["missing", "none", "empty"], ...] = ("missing", "none", "empty")


@dataclass(frozen=True)
class Forms:
    """Which of the usual spellings of a message this template understands."""

    parts: bool = False  # contents as [{"type": "text", "text": ...}]
    arguments_text: bool = False  # tool arguments as a JSON string
    no_content: Literal["missing", "none", "empty"] = "missing"  # how to say that there is none
    shows_calls: bool = False  # whether tool calls are rendered at all

    def apply(self, message: Message) -> Message:
        """Returns the message so spelled."""
        content = message.get("content")
        if content is None and self.no_content != "missing":
            message = {**message, "content": None if self.no_content == "none" else ""}
        if self.parts and isinstance(message.get("content"), str):
            message = {**message, "content": [{"type": "text", "text": message["content"]}]}
        if self.arguments_text and message.get("tool_calls"):
            message = {**message, "tool_calls": [_text_arguments(call) for call in message["tool_calls"]]}
        return message


def _text_arguments(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": text}}


def find_forms(shown: Callable[[list[Message]], str]) -> Forms:
    """Returns the first spelling with which ``shown`` gives back all that a small conversation says.

    ``shown`` renders messages as they are, and gives an empty string where the template refuses them.
    """
    user: Message = {"role": "user", "content": "Ask1"}
    answer: Message = {"role": "assistant", "content": "Say2"}

    def shows(chat: list[Message], forms: Forms, *words: str) -> bool:
        text = shown([forms.apply(message) for message in chat])
        return all(word in text for word in words) and "None" not in text

    chosen = next((f for f in (Forms(), Forms(parts=True)) if shows([user, answer], f, "Ask1", "Say2")), Forms())
    call = {"id": "abcd12345", "type": "function", "function": {"name": "Fun3", "arguments": {"Key4": "Val5"}}}
    chat: list[Message] = [user, {"role": "assistant", "tool_calls": [call]}]
    spellings = [Forms(chosen.parts, text, empty, True) for text in (False, True) for empty in NO_CONTENT]
    return next((forms for forms in spellings if shows(chat, forms, "Ask1", "Fun3", "Val5")), chosen)
