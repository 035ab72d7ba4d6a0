"""The table of shapes: a format's name to the function that reads its records."""

from __future__ import annotations

from curate.sources.shapes.chat import Convert, Record, from_alpaca, from_messages, from_pair, text_of
from curate.sources.shapes.judged import from_kto, from_preference
from curate.sources.shapes.turns import Turns
from curate.sources.spec import Shape


def converter(shape: Shape, roles: dict[str, str]) -> Convert:
    """Returns the function that turns a record of this shape into the content of a row."""
    columns, turns = shape.columns, Turns(roles)
    match shape.format:
        case "messages" | "sharegpt":
            return from_messages(columns, turns)
        case "alpaca":
            return from_alpaca(columns, turns)
        case "prompt_completion":
            return from_pair(columns["prompt"], columns["completion"], columns, turns)
        case "question_answer":
            return from_pair(columns["question"], columns["answer"], columns, turns)
        case "preference":
            return from_preference(columns, turns)
        case "kto":
            return from_kto(columns, turns)
        case "text":
            return _document(columns["text"])
        case "utterances":
            raise ValueError("utterances become rows only after their dialogues are gathered")


def _document(column: str) -> Convert:
    def convert(record: Record) -> Record:
        return {"kind": "text", "text": text_of(record, column)}

    return convert
