"""Whose turn it is: the role names found in the wild and what they mean here."""

from __future__ import annotations

from curate.errors import did_you_mean
from curate.sources.reasons import Refusal

CALL = "function_call"
"""Not a role of ours: a ShareGPT turn whose text is a tool call of the assistant."""

ROLE_NAMES: dict[str, str] = {
    **dict.fromkeys(("system", "developer", "系统"), "system"),
    **dict.fromkeys(("user", "human", "usr", "prompter", "customer", "client", "caller"), "user"),
    **dict.fromkeys(("客户", "用户", "顾客", "来电人"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "bot", "model", "sys", "ai", "agent"), "assistant"),
    **dict.fromkeys(("坐席", "座席", "客服", "助手", "顾问"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "ipython", "tool_response", "function_response"), "tool"),
    **dict.fromkeys(("function_call", "tool_call", "function-call"), CALL),
}


def role_of(name: object, extra: dict[str, str]) -> str:
    """Returns our role for a name in the data; ``extra`` (the source's ``roles:``) goes first.

    Raises:
        Refusal: unknown_role, or wrong_type when the role is not text.
    """
    if type(name) is not str:
        raise Refusal("wrong_type", f"a role is {type(name).__name__}, not text")
    ours = extra.get(name) or ROLE_NAMES.get(name) or ROLE_NAMES.get(name.strip().lower())
    if ours is None:
        raise Refusal("unknown_role", f"role {name!r}{did_you_mean(name, [*extra, *ROLE_NAMES])[:80]}")
    return ours
