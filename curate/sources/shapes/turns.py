"""Lists of messages in one spelling: the fields of MESSAGE, nulls left out, from OpenAI or ShareGPT turns.

Texts are never changed. Text parts of one message are joined without anything between them. Fields of a message that
MESSAGE does not have (time stamps, annotations) are left out.
"""

from __future__ import annotations

from typing import Any

import orjson

from curate.rows import ROLES
from curate.sources.reasons import Refusal
from curate.sources.shapes.roles import CALL, ROLE_NAMES, role_of
from curate.sources.shapes.tools import tool_calls

Message = dict[str, Any]
_TEXT_PARTS = ("text", "input_text", "output_text")
_PLAIN = frozenset(ROLES)


class Turns:
    """Turns whatever stands for messages in the data into messages, with the role names of one source."""

    def __init__(self, roles: dict[str, str]) -> None:
        self.roles = roles
        self.names = {**{name: role for name, role in ROLE_NAMES.items() if role != CALL}, **roles}
        self.plain = _PLAIN if not set(roles) & _PLAIN else frozenset()

    def many(self, value: Any, column: str) -> list[Message]:
        """Returns the messages of a list, of its JSON text, or of one object.

        Raises:
            Refusal: when there is none, or one can't be read.
        """
        if type(value) is not list:
            value = _listed(value, column)
        if not value:
            raise Refusal("empty_record", f"{column!r} holds no message")
        plain = self.plain
        return [
            m
            if type(m) is dict and len(m) == 2 and type(m.get("content")) is str and m.get("role") in plain
            else self._one(m)
            for m in value
        ]

    def said(self, role: str, value: Any, column: str) -> list[Message]:
        """Returns one message of the role from text, or messages from anything else."""
        if type(value) is str and not _is_json_list(value):
            return [{"role": role, "content": value}]
        return self.many(value, column)

    def _one(self, m: Any) -> Message:
        if type(m) is dict and len(m) == 2 and type(m.get("value")) is str and type(m.get("from")) is str:
            known = self.names.get(m["from"])
            if known is not None:
                return {"role": known, "content": m["value"]}
        return self._rich(m)

    def _rich(self, m: Any) -> Message:
        if type(m) is not dict:
            raise Refusal("wrong_type", f"a message is {type(m).__name__}, not an object")
        if "role" not in m and "from" not in m:
            raise Refusal("missing_column", f"a message has no role (it has {', '.join(m) or 'nothing'})")
        role = role_of(m["role"] if m.get("role") is not None else m.get("from"), self.roles)
        text = _text(m.get("content", m.get("value")))
        out: Message = {"role": role}
        if role == CALL:
            out = {"role": "assistant", "tool_calls": tool_calls(text or m.get("tool_calls"))}
            if out["tool_calls"] is None:
                raise Refusal("bad_tool_call", "a function_call turn holds no call")
        else:
            _called(m, out)
            if text is None and not ("tool_calls" in out and role == "assistant"):
                raise Refusal("null_content", f"the text of a {role} message is null")
            if text is not None:
                out["content"] = text
        return _details(m, out)


def _listed(value: Any, column: str) -> list[Any]:
    if value is None:
        raise Refusal("null_content", f"{column!r} is null")
    if type(value) is str and _is_json_list(value):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise Refusal("malformed_json", f"{column!r} is not JSON ({error})") from None
    if type(value) is dict:
        columns = list(value.values())
        if columns and all(type(item) is list for item in columns):  # a table stored as an object of columns
            if len({len(item) for item in columns}) > 1:
                raise Refusal("wrong_type", f"{column!r} holds lists of different lengths")
            return [dict(zip(value, items, strict=True)) for items in zip(*columns, strict=True)]
        return [value]
    if type(value) is not list:
        raise Refusal("wrong_type", f"{column!r} is {type(value).__name__}, not a list of messages")
    return value


def _is_json_list(text: str) -> bool:
    return text[:1] in "[{" and text.lstrip("[ \n\t")[:1] == "{" and '"' in text[:64]


def _text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    if type(value) is not list:
        raise Refusal("wrong_type", f"the text of a message is {type(value).__name__}")
    return "".join(_part(part) for part in value)


def _part(part: Any) -> str:
    if type(part) is str:
        return part
    kind = part.get("type") if type(part) is dict else type(part).__name__
    if kind not in _TEXT_PARTS or type(part.get("text")) is not str:
        raise Refusal("unsupported_content", f"a part of type {kind!r}")
    return str(part["text"])


def _called(m: Message, out: Message) -> None:
    calls = m.get("tool_calls")
    if calls is None and m.get("function_call") is not None:
        calls = m["function_call"]
    if calls is not None and (calls := tool_calls(calls)) is not None:
        out["tool_calls"] = calls


def _details(m: Message, out: Message) -> Message:
    for theirs, ours in _STRINGS:
        value = m.get(theirs)
        if value is not None:
            if type(value) is not str:
                raise Refusal("wrong_type", f"{theirs!r} of a message is {type(value).__name__}, not text")
            out[ours] = value
    for name in ("weight", "train"):
        flag = m.get(name)
        if flag is not None:
            if flag not in (0, 1) or type(flag) not in (bool, int, float):
                raise Refusal("bad_weight", f"{name!r} of a message is {flag!r}")
            out["weight"] = int(flag)
    return out


_STRINGS = (
    ("name", "name"),
    ("tool_call_id", "tool_call_id"),
    ("reasoning_content", "reasoning_content"),
    ("reasoning", "reasoning_content"),
)
