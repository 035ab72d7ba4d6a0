"""Cutting a byte stream into blocks of whole lines, in memory bounded by the block and the longest line allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curate.sources.opening import as_utf8, bom_length, chunks, transcoded
from curate.sources.quarantine import RAW_LIMIT
from curate.sources.reasons import DamagedFile
from curate.sources.spec import SourceFile, Unit

LINE_LIMIT = 64 << 20
"""Bytes of the longest record that is read."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines: their bytes, the offset of the first byte and the number of the first line."""

    data: bytes
    offset: int
    line: int

    def lines(self) -> list[bytes]:
        """Returns the lines without their newline bytes."""
        lines = self.data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        return lines


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that could not be read: too long, or cut off by damage; ``raw`` is its beginning."""

    reason: str
    detail: str
    raw: bytes
    offset: int
    line: int


def line_blocks(unit: Unit, limit: int = LINE_LIMIT) -> Iterator[Block | Broken]:
    """Yields the unit's lines in blocks, and what could not be read in its place.

    Lines end in a newline byte; files whose encoding has other newlines are read through a UTF-8 copy.
    """
    stream = chunks(unit.file, unit.start, unit.end)
    if transcoded(unit.file.encoding):
        stream = as_utf8(stream, unit.file.encoding)
    yield from _blocks(stream, unit, limit)


def _blocks(stream: Iterator[bytes], unit: Unit, limit: int) -> Iterator[Block | Broken]:
    offset, line, tail, skipped = unit.start, unit.line, b"", 0
    first = unit.start == 0
    damage: DamagedFile | None = None
    while True:
        try:
            chunk = next(stream)
        except StopIteration:
            break
        except DamagedFile as error:
            damage = error
            break
        if first:
            mark, first = bom_length(chunk, unit.file.encoding), False
            offset, chunk = offset + mark, chunk[mark:]
        cut = chunk.find(b"\n") + 1 if skipped else chunk.rfind(b"\n") + 1
        if skipped and not cut:
            skipped += len(chunk)
            continue
        if skipped:
            yield _too_long(tail, skipped + cut, limit, offset, line)
            offset, line, skipped, tail = offset + skipped + cut, line + 1, 0, b""
            chunk, cut = chunk[cut:], chunk.rfind(b"\n") + 1 - cut
        if cut:
            block = Block(tail + chunk[:cut], offset, line)
            yield block
            offset, line, tail = offset + len(block.data), line + block.data.count(b"\n"), chunk[cut:]
        else:
            tail += chunk
        if len(tail) > limit:
            skipped, tail = len(tail), tail[:RAW_LIMIT]
    if damage is not None:
        yield Broken(damage.reason, damage.detail, tail[:RAW_LIMIT], offset, line)
    elif skipped:
        yield _too_long(tail, skipped, limit, offset, line)
    elif tail:
        yield Block(tail, offset, line)


def _too_long(head: bytes, length: int, limit: int, offset: int, line: int) -> Broken:
    return Broken("line_too_long", f"{length:,} bytes; the limit is {limit:,}", head, offset, line)


def line_units(number: int, file: SourceFile, part_bytes: int) -> Iterator[Unit]:
    """Yields byte ranges of a plain local file, each ending at the first newline after ``part_bytes``.

    Reads the file once, to number the lines.
    """
    start, line = 0, 1
    with open(file.path, "rb") as stream:
        while block := stream.read(part_bytes):
            end, lines, last = start + len(block), block.count(b"\n"), block
            while len(last) and not last.endswith(b"\n"):
                last = stream.readline(1 << 20)
                end += len(last)
                lines += last.endswith(b"\n")
            yield Unit(number, file, start, end, line)
            start, line = end, line + lines
