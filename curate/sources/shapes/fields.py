"""Which fields each format has, and the column names they go by in the wild."""

from __future__ import annotations

from dataclasses import dataclass

from curate.sources.spec import Format


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field of a format: our name, the column names tried in order, and what its values look like."""

    name: str
    aliases: tuple[str, ...]
    holds: str  # turns: role/content objects; pairs: from/value objects; answer: text or turns; text; flag; any
    needed: bool = True


_TURN_NAMES = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns", "chat", "对话")
_SYSTEM = FieldRule("system", ("system", "system_prompt"), "any", needed=False)
_TOOLS = FieldRule("tools", ("tools", "functions"), "any", needed=False)
_CHOSEN = FieldRule("chosen", ("chosen", "chosen_response"), "answer")
_REJECTED = FieldRule("rejected", ("rejected", "rejected_response"), "answer")
_PROMPTS = ("prompt", "instruction", "question", "query", *_TURN_NAMES)

FORMATS: dict[Format, tuple[FieldRule, ...]] = {
    "utterances": (
        FieldRule("group", ("call_id", "session_id", "dialogue_id", "dialog_id", "conversation_id", "通话ID"), "any"),
        FieldRule("order", ("time", "timestamp", "turn", "turn_id", "start_time", "seq", "index"), "any", needed=False),
        FieldRule("role", ("role", "speaker", "from", "sender", "角色", "说话人"), "text"),
        FieldRule("text", ("text", "content", "utterance", "value", "message", "文本", "内容"), "text"),
    ),
    "preference": (
        FieldRule("prompt", _PROMPTS, "any", needed=False),
        FieldRule("input", ("input",), "any", needed=False),
        _CHOSEN,
        _REJECTED,
        _SYSTEM,
        _TOOLS,
    ),
    "kto": (
        FieldRule("prompt", _PROMPTS, "answer"),
        FieldRule("completion", ("completion", "response", "output", "answer"), "answer", needed=False),
        FieldRule("label", ("label", "kto_tag", "desirable"), "flag"),
        _SYSTEM,
        _TOOLS,
    ),
    "messages": (FieldRule("messages", _TURN_NAMES, "turns"), _SYSTEM, _TOOLS),
    "sharegpt": (FieldRule("conversations", _TURN_NAMES, "pairs"), _SYSTEM, _TOOLS),
    "alpaca": (
        FieldRule("instruction", ("instruction", "指令"), "text"),
        FieldRule("input", ("input", "输入"), "any", needed=False),
        FieldRule("output", ("output", "response", "answer", "输出"), "text"),
        FieldRule("history", ("history",), "any", needed=False),
        _SYSTEM,
        _TOOLS,
    ),
    "prompt_completion": (
        FieldRule("prompt", ("prompt", "input"), "answer"),
        FieldRule("completion", ("completion", "response", "output"), "answer"),
        _SYSTEM,
        _TOOLS,
    ),
    "question_answer": (
        FieldRule("question", ("question", "query", "problem", "问题", "问"), "text"),
        FieldRule("answer", ("answer", "response", "solution", "答案", "回答", "答"), "text"),
        _SYSTEM,
    ),
    "text": (FieldRule("text", ("text", "content", "document", "body", "正文", "文本"), "text"),),
}
"""Format -> its fields; the order is the order in which detection tries the formats."""

LABELS = ("ability", "domain", "language", "tags")
"""Fields of any format that name a column for the row's label of that name."""


def needs(fmt: Format) -> str:
    """Returns a format's fields as a line for people: needed ones, then optional ones in brackets."""
    rules = FORMATS[fmt]
    needed = [rule.name for rule in rules if rule.needed]
    return ", ".join([*needed, *(f"[{rule.name}]" for rule in rules if not rule.needed)])
