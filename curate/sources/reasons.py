"""Why an input record is refused: one table of snake_case codes, and the exception that carries one."""

from __future__ import annotations

REASONS: dict[str, str] = {
    "malformed_json": "The text is not JSON (NaN, a lone surrogate and nesting beyond 1024 levels count as malformed).",
    "duplicate_key": "An object names one key twice, so one of the two values would be lost.",
    "not_an_object": "The record is JSON but not an object.",
    "malformed_csv": "The quoting of the record is broken: an unclosed quote, or text after a closing quote.",
    "wrong_field_count": "The record has more or fewer fields than the header.",
    "invalid_encoding": "The bytes are not text in the encoding of the file.",
    "line_too_long": "The record is longer than the limit of 64 MiB; only its first 64 KiB are kept.",
    "truncated_file": "The file ends inside a compressed stream or a record; what came before it was read.",
    "corrupt_file": "A compressed or binary part of the file is damaged; what came before it was read.",
    "missing_column": "The record lacks a column that the shape needs.",
    "wrong_type": "A value has another type than the shape needs.",
    "null_content": "A text that the shape needs is null.",
    "empty_record": "The record holds no text at all.",
    "unknown_role": "A turn has a role that is not known; `roles:` maps more names.",
    "dropped_role": "The utterance's role is mapped to `drop`.",
    "broken_dialogue": "Another utterance of the same dialogue has an unknown role, so the dialogue has a hole.",
    "unsupported_content": "A message holds something other than text (an image, a sound, a file).",
    "bad_weight": "A weight or train flag is neither 0 nor 1.",
    "bad_tool_call": "A tool call lacks a name, is not JSON, or its arguments are not a JSON object.",
    "bad_tools": "The tool descriptions are not a list of objects or its JSON.",
    "bad_label": "The label is not true or false.",
    "no_answer": "A preference or judged row has nothing after its prompt.",
}
"""Reason code -> one sentence for the report."""


class Refusal(Exception):
    """Says why one record can't become a row; caught by the reader, which quarantines the record."""

    def __init__(self, reason: str, detail: str = "") -> None:
        if reason not in REASONS:
            raise KeyError(f"{reason!r} is not in the table of reasons")
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class DamagedFile(Exception):
    """Says that a file can't be read on from here; raised after everything before the damage was given out."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
