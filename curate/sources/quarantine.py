"""The bad row: what is kept of an input record that can't become a row."""

from __future__ import annotations

from dataclasses import dataclass

RAW_LIMIT = 64 * 1024
"""Bytes of a bad record that are kept."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One refused record: where it is, why it was refused, and its first 64 KiB.

    ``file`` is the file's number in the resolved list, ``line`` the 1-based line (records of binary tables:
    record number), ``offset`` the byte offset in the (decompressed) file, None where it is not known.
    """

    file: int
    line: int
    offset: int | None
    reason: str
    detail: str
    raw: bytes


def bad_row(file: int, line: int, offset: int | None, reason: str, detail: str, raw: bytes) -> BadRow:
    """Returns a bad row with its raw bytes cut to the limit."""
    return BadRow(file, line, offset, reason, detail, bytes(raw[:RAW_LIMIT]))


def in_order(bad: list[BadRow]) -> list[BadRow]:
    """Returns bad rows in the order of the input."""
    return sorted(bad, key=lambda row: (row.file, row.line, row.offset or 0))
