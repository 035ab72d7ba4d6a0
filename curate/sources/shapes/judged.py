"""Shapes that judge an answer: preference pairs and KTO labels."""

from __future__ import annotations

import re
from typing import Any

from curate.sources.reasons import Refusal
from curate.sources.shapes.chat import Convert, Record, instructed, value_of, with_system, with_tools
from curate.sources.shapes.turns import Message, Turns

_HH_TURN = re.compile(r"\n\n(Human|Assistant): ?")
_FLAGS: dict[Any, bool] = {"true": True, "false": False, "1": True, "0": False}


def from_preference(columns: dict[str, str], turns: Turns) -> Convert:
    """Reads an explicit prompt (text, instruction and input, or turns) or the common start of both answers."""
    chosen, rejected, prompt = columns["chosen"], columns["rejected"], columns.get("prompt")

    def convert(record: Record) -> Record:
        good = _answer(value_of(record, chosen), chosen, turns)
        bad = _answer(value_of(record, rejected), rejected, turns)
        asked: list[Message] = []
        if prompt is not None and record.get(prompt) is not None:
            asked = _asked(record, prompt, columns.get("input"), turns)
        start = _common(asked, good, bad)
        if not asked and not start:
            raise Refusal("missing_column", "no prompt: none given, and the two answers have no common start")
        if not good[start:] or not bad[start:]:
            raise Refusal("no_answer", "an answer ends where the prompt does")
        content: Record = {
            "kind": "preference",
            "prompt": with_system(asked or good[:start], record, columns.get("system")),
            "chosen": good[start:],
            "rejected": bad[start:],
        }
        return with_tools(content, record, columns.get("tools"))

    return convert


def _asked(record: Record, column: str, given: str | None, turns: Turns) -> list[Message]:
    value = record[column]
    if type(value) is str and given is not None:
        value = instructed(record, column, given)
    return turns.said("user", value, column)


def _answer(value: Any, column: str, turns: Turns) -> list[Message]:
    """Text with blank-line-led ``Human:`` turns is a dialogue (Bai et al. 2022, the HH-RLHF data); other text one answer."""
    if type(value) is not str or not value.startswith("\n\nHuman:"):
        return turns.said("assistant", value, column)
    pieces = _HH_TURN.split(value)[1:]
    roles = {"Human": "user", "Assistant": "assistant"}
    return [{"role": roles[name], "content": text} for name, text in zip(pieces[::2], pieces[1::2], strict=True)]


def _common(asked: list[Message], good: list[Message], bad: list[Message]) -> int:
    """How many messages at the start of both answers are prompt: the given one repeated, or what both share."""
    if asked:
        repeated = good[: len(asked)] == asked and bad[: len(asked)] == asked
        return len(asked) if repeated else 0
    most, same = min(len(good), len(bad)) - 1, 0
    while same < most and good[same] == bad[same]:
        same += 1
    return same


def from_kto(columns: dict[str, str], turns: Turns) -> Convert:
    """Reads prompt, completion and label; without a completion the last message of the prompt is it."""
    prompt, completion, label = columns["prompt"], columns.get("completion"), columns["label"]

    def convert(record: Record) -> Record:
        asked = turns.said("user", value_of(record, prompt), prompt)
        if completion is not None:
            answer = turns.said("assistant", value_of(record, completion), completion)
        else:
            asked, answer = asked[:-1], asked[-1:]
        if not asked or not answer or answer[0]["role"] != "assistant":
            raise Refusal("no_answer", "the record does not end in an answer of the assistant to a prompt")
        asked = with_system(asked, record, columns.get("system"))
        content: Record = {"kind": "kto", "prompt": asked, "completion": answer, "label": flag(record, label)}
        return with_tools(content, record, columns.get("tools"))

    return convert


def flag(record: Record, column: str) -> bool:
    """Returns the truth in a column: true, false, 1, 0, or their text.

    Raises:
        Refusal: missing_column, null_content or bad_label.
    """
    value = value_of(record, column)
    if type(value) is bool:
        return value
    known = _FLAGS.get(str(value).strip().lower()) if type(value) in (str, int) else None
    if known is None:
        raise Refusal("bad_label", f"{column!r} is {str(value)[:40]!r}")
    return known
