"""Tool calls and tool descriptions in one spelling: the OpenAI form as JSON text, keys in the order they came in.

The order of keys is kept because chat templates print it, so it is part of what a model is trained on.
"""

from __future__ import annotations

from typing import Any

import orjson

from curate.sources.reasons import Refusal


def tool_calls(value: Any) -> str | None:
    """Returns the JSON array of calls, arguments parsed to objects; None for no calls.

    Takes a list or its JSON text, of OpenAI calls or bare ``{"name", "arguments"}``. Empty arguments are ``{}``.

    Raises:
        Refusal: bad_tool_call.
    """
    if type(value) is str:
        value = _json(value)
    if value is None or value == []:
        return None
    if type(value) is dict:
        value = [value]
    if type(value) is not list:
        raise Refusal("bad_tool_call", f"tool calls are {type(value).__name__}, not a list")
    return orjson.dumps([_call(item) for item in value]).decode()


def _json(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refusal("bad_tool_call", f"not JSON ({error})") from None


def _call(item: Any) -> dict[str, Any]:
    if type(item) is not dict:
        raise Refusal("bad_tool_call", f"a tool call is {type(item).__name__}, not an object")
    function = item.get("function")
    if type(function) is not dict:
        function = item
    name = function.get("name")
    if type(name) is not str or not name:
        raise Refusal("bad_tool_call", "a tool call has no name")
    arguments = function.get("arguments", function.get("parameters"))
    if type(arguments) is str:
        arguments = _json(arguments)
    if arguments is None:
        arguments = {}
    if type(arguments) is not dict:
        raise Refusal("bad_tool_call", f"the arguments of {name!r} are {type(arguments).__name__}, not an object")
    if _inexact(arguments):
        raise Refusal("bad_tool_call", f"an argument of {name!r} is a number beyond 64 bits, which would lose digits")
    call: dict[str, Any] = {"id": item["id"]} if type(item.get("id")) is str else {}
    return {**call, "type": "function", "function": {"name": name, "arguments": arguments}}


def _inexact(value: Any) -> bool:
    """Whether a whole number in the value was too long for 64 bits and was read as a float."""
    if type(value) is float:
        return abs(value) >= 2**63
    if type(value) is dict:
        value = list(value.values())
    return type(value) is list and any(_inexact(item) for item in value)


def tool_list(value: Any) -> str | None:
    """Returns the JSON array of tool descriptions in OpenAI form; None for no tools.

    Takes a list, one object, or the JSON text of either; a bare function description is wrapped.

    Raises:
        Refusal: bad_tools.
    """
    if type(value) is str:
        if not value.strip():
            return None
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise Refusal("bad_tools", f"not JSON ({error})") from None
    if type(value) is dict:
        value = [value]
    if not value:
        return None
    if type(value) is not list or any(type(item) is not dict for item in value):
        raise Refusal("bad_tools", "the tools are not a list of objects")
    return orjson.dumps([_description(item) for item in value]).decode()


def _description(item: dict[str, Any]) -> dict[str, Any]:
    return item if type(item.get("function")) is dict else {"type": "function", "function": item}
