"""Restoring: an edited row put back into the shape of the record it was read from."""

from __future__ import annotations

from typing import Any

from curate.sources import Shape
from curate.sources.shapes.chat import no_input

Record = dict[str, Any]
Messages = list[dict[str, Any]]

_THEIR_ROLES = {"user": "human", "assistant": "gpt", "tool": "observation", "system": "system"}
"""ShareGPT's names, for turns that have no counterpart in the record."""

_HH_NAMES = {"user": "Human", "assistant": "Assistant", "system": "System", "tool": "Tool"}
"""The names of turns in dialogues written as one text, as the HH-RLHF data has them."""


def restored(record: Record, before: Record, after: Record, shape: Shape) -> Record:
    """Returns a copy of the record with the content of the row ``after`` in place of that of ``before``.

    Both rows are records as ``curate.records`` gives them. Fields that hold no content stay as they are; a turn the
    stage left alone keeps all its keys.
    """
    columns = shape.columns
    if shape.format == "text":
        return {**record, columns["text"]: after["text"]}
    if shape.format in ("messages", "sharegpt"):
        column = columns.get("messages") or columns["conversations"]
        return _conversation(record, before["messages"], after["messages"], column, columns.get("system"))
    if shape.format in ("prompt_completion", "question_answer"):
        names = ("prompt", "completion") if shape.format == "prompt_completion" else ("question", "answer")
        return _pair(record, before, after, (columns[names[0]], columns[names[1]]), columns.get("system"))
    if shape.format == "alpaca":
        return _alpaca(record, before["messages"], after["messages"], columns)
    return _judged(record, before, after, columns)


def _without_system(
    record: Record, before: Messages, after: Messages, column: str | None, *, text: bool
) -> tuple[Record, Messages, Messages]:
    """Takes the system message back into its own column: where the record has one, or where its shape is text, which
    has no other place for it. Returns the record and the other messages before and after.
    """
    had = column is not None and bool(record.get(column))
    opens = bool(after) and after[0]["role"] == "system"
    if had and column is not None:
        said = after[0].get("content") or "" if opens else ""
        return {**record, column: said}, before[1:], after[1:] if opens else after
    if opens and text:
        return {**record, column or "system": after[0].get("content") or ""}, before, after[1:]
    return record, before, after


def _conversation(record: Record, before: Messages, after: Messages, column: str, system: str | None) -> Record:
    record, old, rest = _without_system(record, before, after, system, text=False)
    return {**record, column: _turns(record[column], old, rest)}


def _turns(originals: Any, before: Messages, after: Messages) -> Any:
    """Returns the edited messages in the form of the original turns; equal ones are the originals themselves."""
    if before == after:
        return originals
    if isinstance(originals, str):
        return "\n".join(m.get("content") or "" for m in after)
    if isinstance(originals, dict):
        return _turn(originals, after[0]) if len(after) == 1 else [_turn(originals, m) for m in after]
    aligned = len(originals) == len(before)
    if aligned and len(before) == len(after):
        return [o if b == a else _turn(o, a) for o, b, a in zip(originals, before, after, strict=True)]
    left = list(zip(originals, before, strict=True)) if aligned else []
    turns = []
    for message in after:
        at = next((i for i, (_, old) in enumerate(left) if old == message), None)
        turns.append(left.pop(at)[0] if at is not None else _turn(originals[0] if originals else {}, message, new=True))
    return turns


def _turn(original: Record, message: dict[str, Any], *, new: bool = False) -> Record:
    """Returns one message in the form of an original turn."""
    if "value" not in original:
        return dict(message) if new else {**original, **message}
    theirs = _THEIR_ROLES[message["role"]] if new else original["from"]
    return {**({} if new else original), "from": theirs, "value": message.get("content") or ""}


def _pair(record: Record, before: Record, after: Record, names: tuple[str, str], system: str | None) -> Record:
    asked, answered = names
    text = isinstance(record[asked], str)
    record, old, new = _without_system(record, before["messages"], after["messages"], system, text=text)
    cut = len(record[answered]) if isinstance(record[answered], list) else 1
    return {
        **record,
        asked: _turns(record[asked], _plain(old[:-cut]), _plain(new[:-cut])),
        answered: _turns(record[answered], old[-cut:], new[-cut:]),
    }


def _plain(messages: Messages) -> Messages:
    """Returns messages without the weight that ingest put on turns of a prompt."""
    return [{k: v for k, v in m.items() if k != "weight"} for m in messages]


def _alpaca(record: Record, before: Messages, after: Messages, columns: dict[str, str]) -> Record:
    record, _, messages = _without_system(record, before, after, columns.get("system"), text=True)
    texts = [m.get("content") or "" for m in messages]
    earlier, user, answer = texts[:-2], texts[-2], texts[-1]
    if "history" in columns:
        pairs = [list(pair) for pair in zip(earlier[::2], earlier[1::2], strict=False)]
        record = {**record, columns["history"]: pairs} if pairs or record.get(columns["history"]) else record
    instruction, given = columns["instruction"], columns.get("input")
    head, tail = _instruction(record, user, instruction, given)
    inputs = {given: tail} if given is not None and given in record else {}
    return {**record, instruction: head, **inputs, columns["output"]: answer}


def _instruction(record: Record, user: str, instruction: str, given: str | None) -> tuple[str, str]:
    """Splits a user turn into instruction and input at the line where they met, while that line is still there."""
    if given is not None and no_input(record.get(given)):
        return user, record.get(given) or ""
    old_head, old_tail = record[instruction], record[given] if given is not None else ""
    if not old_tail or not old_head:
        return (user, "") if old_head or not old_tail else ("", user)
    lines = user.split("\n")
    if len(lines) != f"{old_head}\n{old_tail}".count("\n") + 1:
        return user, ""
    at = old_head.count("\n") + 1
    return "\n".join(lines[:at]), "\n".join(lines[at:])


def _judged(record: Record, before: Record, after: Record, columns: dict[str, str]) -> Record:
    """Restores preference and KTO records, the prompt also where it stands in the answers' columns, or they in its."""
    column = columns.get("prompt")
    asked = record.get(column) if column is not None else None
    old, new = before["prompt"], after["prompt"]
    record, old, new = _without_system(record, old, new, columns.get("system"), text=isinstance(asked, str))
    if column is not None and asked is not None:
        inside = "completion" if "completion" in after and "completion" not in columns else None
        tails = (before[inside], after[inside]) if inside else ([], [])
        record = {**record, **_prompt(record, column, columns.get("input"), old + tails[0], new + tails[1])}
    for field in ("chosen", "rejected", "completion"):
        if field in after and field in columns:
            answer = _answer(record[columns[field]], (old, before[field]), (new, after[field]))
            record = {**record, columns[field]: answer}
    return record


def _prompt(record: Record, column: str, given: str | None, before: Messages, after: Messages) -> Record:
    """Returns the fields of the prompt: its column, and the input below it where there is one."""
    if not isinstance(record[column], str) or before == after or given is None or no_input(record.get(given)):
        return {column: _turns(record[column], before, after)}
    head, tail = _instruction(record, "\n".join(m.get("content") or "" for m in after), column, given)
    return {column: head, given: tail}


def _answer(original: Any, before: tuple[Messages, Messages], after: tuple[Messages, Messages]) -> Any:
    """Returns an answer (prompt, answer before and after), with the prompt where the original began with it."""
    if isinstance(original, str) and original.startswith("\n\nHuman:"):
        same = before == after
        return (
            original
            if same
            else "".join(f"\n\n{_HH_NAMES[m['role']]}: {m.get('content') or ''}" for m in [*after[0], *after[1]])
        )
    if isinstance(original, list) and len(original) > len(before[1]):
        return _turns(original, [*before[0], *before[1]], [*after[0], *after[1]])
    return _turns(original, before[1], after[1])
