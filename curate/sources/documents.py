"""Records of plain text files: a document is a file, a paragraph between blank lines, or a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from curate.sources.lines import LINE_LIMIT, Block, Broken, line_blocks
from curate.sources.opening import transcoded
from curate.sources.records import Records
from curate.sources.spec import Unit

Split = Literal["file", "blank_line", "line"]


def text_records(unit: Unit, split: Split, limit: int = LINE_LIMIT) -> Iterator[Records]:
    """Yields documents as ``{"text": ...}``.

    Blank lines between documents are not counted when ``split`` is ``blank_line``; for ``line`` they are.
    """
    wide = transcoded(unit.file.encoding)
    encoding = "utf-8" if wide else unit.file.encoding
    held: list[bytes] = []
    start = (unit.line, unit.start)
    for piece in line_blocks(unit, limit):
        records = Records(unit.number, offsets=None if wide else [])
        if isinstance(piece, Broken):
            if split == "line":
                records.refuse(piece.line, piece.offset, piece.reason, piece.detail, piece.raw)
            else:
                records.refuse(*start, piece.reason, piece.detail, b"\n".join([*held, piece.raw]))
                held = []
        elif split == "line":
            _each_line(piece, records, encoding)
        else:
            start = _gather(piece, held, start, records, encoding, split, limit)
        yield records
    if held:
        records = Records(unit.number, offsets=None if wide else [])
        _document(held, start, records, encoding, limit)
        yield records


def _each_line(block: Block, records: Records, encoding: str) -> None:
    offset = block.offset
    for line, raw in enumerate(block.lines(), block.line):
        if raw.strip():
            _add(raw, line, offset, records, encoding)
        else:
            records.blank += 1
        offset += len(raw) + 1


def _gather(
    block: Block, held: list[bytes], start: tuple[int, int], records: Records, encoding: str, split: Split, limit: int
) -> tuple[int, int]:
    """Adds the block's lines to the document being held; a blank line closes it. Returns where the held one starts."""
    offset = block.offset
    if split == "file":
        if sum(map(len, held)) <= limit:
            held.append(block.data)
        return start if len(held) > 1 else (block.line, offset)
    for line, raw in enumerate(block.lines(), block.line):
        if raw.strip():
            if not held:
                start = (line, offset)
            held.append(raw + b"\n")
        elif held:
            _document(held, start, records, encoding, limit)
            held.clear()
        offset += len(raw) + 1
    return start


def _document(held: list[bytes], start: tuple[int, int], records: Records, encoding: str, limit: int) -> None:
    raw = b"".join(held)
    if len(raw) > limit:
        records.refuse(*start, "line_too_long", f"a document of more than {limit:,} bytes", raw)
    elif raw.strip():
        _add(raw, *start, records, encoding)
    else:
        records.blank += 1


def _add(raw: bytes, line: int, offset: int, records: Records, encoding: str) -> None:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        records.refuse(line, offset, "invalid_encoding", f"not {encoding} at byte {error.start} of the document", raw)
        return
    records.add({"text": text.replace("\r\n", "\n").rstrip("\r\n")}, line, offset, raw)
