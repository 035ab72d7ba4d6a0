"""Restoring: an edited row put back into the shape of the record it was read from."""

from __future__ import annotations

from typing import Any

from curate.sources import Shape

Record = dict[str, Any]
Messages = list[dict[str, Any]]

_THEIR_ROLES = {"user": "human", "assistant": "gpt", "tool": "observation", "system": "system"}
"""ShareGPT's names, for turns that have no counterpart in the record."""


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
        return _alpaca(record, after["messages"], columns)
    return _judged(record, before, after, columns)


def _split_system(record: Record, messages: Messages, column: str | None) -> tuple[Record, Messages]:
    """Takes the system message back into its own column where the record has one."""
    if column is None or not messages or messages[0]["role"] != "system":
        return record, messages
    return {**record, column: messages[0].get("content", "")}, messages[1:]


def _conversation(record: Record, before: Messages, after: Messages, column: str, system: str | None) -> Record:
    had = bool(system and record.get(system))
    record, rest = _split_system(record, after, system if had else None)
    old = before[1:] if had and before and before[0]["role"] == "system" else before
    return {**record, column: _turns(record[column], old, rest)}


def _turns(originals: Any, before: Messages, after: Messages) -> Any:
    """Returns the edited messages in the form of the original turns; equal ones are the originals themselves."""
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
    record, messages = _split_system(record, after["messages"], system)
    old = before["messages"][1:] if system and before["messages"][0]["role"] == "system" else before["messages"]
    asked, answered = names
    cut = 1 if not isinstance(record[answered], list) else len(record[answered])
    return {
        **record,
        asked: _turns(record[asked], _plain(old[:-cut]), _plain(messages[:-cut])),
        answered: _turns(record[answered], old[-cut:], messages[-cut:]),
    }


def _plain(messages: Messages) -> Messages:
    """Returns messages without the weight that ingest put on turns of a prompt."""
    return [{k: v for k, v in m.items() if k != "weight"} for m in messages]


def _alpaca(record: Record, messages: Messages, columns: dict[str, str]) -> Record:
    record, messages = _split_system(record, messages, columns.get("system"))
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
    old_head, old_tail = record[instruction], record.get(given) or "" if given else ""
    if not old_tail or not old_head:
        return (user, "") if old_head or not old_tail else ("", user)
    lines = user.split("\n")
    if len(lines) != f"{old_head}\n{old_tail}".count("\n") + 1:
        return user, ""
    at = old_head.count("\n") + 1
    return "\n".join(lines[:at]), "\n".join(lines[at:])


def _judged(record: Record, before: Record, after: Record, columns: dict[str, str]) -> Record:
    """Restores preference and KTO records: each field on its own, where the record has a column for it."""
    for field in ("prompt", "chosen", "rejected", "completion"):
        column = columns.get(field)
        if field in after and column is not None and column in record:
            record = {**record, column: _turns(record[column], before[field], after[field])}
    shared = columns.get("messages") or columns.get("conversations")
    if shared is not None and "prompt" in after:
        names = [f for f in ("prompt", "completion") if f in after and columns.get(f) not in record]
        old = [m for f in names for m in before[f]]
        record = {**record, shared: _turns(record[shared], old, [m for f in names for m in after[f]])}
    return record
