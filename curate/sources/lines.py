"""Cutting a byte stream into blocks of whole lines, in memory bounded by the block and the longest line allowed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise

import numpy as np

from curate.sources.opening import CHUNK, as_utf8, bom_length, chunks, transcoded
from curate.sources.quarantine import RAW_LIMIT
from curate.sources.reasons import DamagedFile
from curate.sources.spec import SourceFile, Unit

_NEWLINE = 10
_NEAR = 1 << 18
"""Bytes whose newlines are marked at a time: they and their marks stay in a core's cache."""
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

    def halves(self) -> tuple[Block, ...]:
        """Returns two blocks of about half the bytes each; none when no line ends between."""
        cut = self.data.find(b"\n", len(self.data) // 2) + 1
        if not 0 < cut < len(self.data):
            return ()
        first, second = self.data[:cut], self.data[cut:]
        return Block(first, self.offset, self.line), Block(second, self.offset + cut, self.line + _newlines(first))


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that could not be read: too long, or cut off by damage; ``raw`` is its beginning."""

    reason: str
    detail: str
    raw: bytes
    offset: int
    line: int


def line_blocks(unit: Unit, limit: int = LINE_LIMIT, size: int = CHUNK) -> Iterator[Block | Broken]:
    """Yields the unit's lines in blocks of about ``size`` bytes, and what could not be read in its place.

    Lines end in a newline byte; files whose encoding has other newlines are read through a UTF-8 copy.
    """
    stream = chunks(unit.file, unit.start, unit.end, size)
    if transcoded(unit.file.encoding):
        stream = as_utf8(stream, unit.file.encoding)
    cutter = _Cutter(unit.start, unit.line, limit)
    damage: DamagedFile | None = None
    try:
        for chunk in stream:
            mark = bom_length(chunk, unit.file.encoding) if unit.start == cutter.offset == 0 and not cutter.tail else 0
            cutter.offset += mark
            yield from cutter.feed(chunk[mark:])
    except DamagedFile as error:
        damage = error
    yield from cutter.finish(damage)


class _Cutter:
    """The place in the stream: offset and number of the line whose beginning, ``tail``, was read last."""

    def __init__(self, offset: int, line: int, limit: int) -> None:
        self.offset, self.line, self.limit = offset, line, limit
        self.tail = b""
        self.passed = b""  # lines given out that are not counted yet: those of a unit's last block never are
        self.skipped = 0  # length so far of a line that is too long; tail is then its first bytes

    def feed(self, chunk: bytes) -> Iterator[Block | Broken]:
        """Takes the next bytes, gives out the lines they complete."""
        if self.skipped:
            cut = chunk.find(b"\n") + 1
            self.skipped += cut or len(chunk)
            if not cut:
                return
            yield self._too_long()
            chunk = chunk[cut:]
        cut = chunk.rfind(b"\n") + 1
        if cut:
            whole = not self.tail and cut == len(chunk)
            data = chunk if whole else b"".join((self.tail, memoryview(chunk)[:cut]))
            yield Block(data, self.offset, self._place())
            self.offset += len(data)
            self.passed, self.tail = data, b""
        self.tail += chunk[cut:]
        if len(self.tail) > self.limit:
            self.skipped, self.tail = len(self.tail), self.tail[:RAW_LIMIT]

    def finish(self, damage: DamagedFile | None) -> Iterator[Block | Broken]:
        """Gives out what is left at the end, or the damage that ended the file."""
        if damage is not None:
            yield Broken(damage.reason, damage.detail, self.tail[:RAW_LIMIT], self.offset, self._place())
        elif self.skipped:
            yield self._too_long()
        elif self.tail:
            yield Block(self.tail, self.offset, self._place())

    def _place(self) -> int:
        """Returns the number of the line that begins here."""
        self.line, self.passed = self.line + _newlines(self.passed), b""
        return self.line

    def _too_long(self) -> Broken:
        detail = f"{self.skipped:,} bytes; the limit is {self.limit:,}"
        broken = Broken("line_too_long", detail, self.tail, self.offset, self._place())
        self.offset, self.line, self.skipped, self.tail = self.offset + self.skipped, self.line + 1, 0, b""
        return broken


def line_units(number: int, file: SourceFile, part_bytes: int) -> Iterator[Unit]:
    """Yields byte ranges of a plain local file, each ending at the first newline after ``part_bytes``.

    A file of several is read once, to number the lines.
    """
    bounds = _line_bounds(file, part_bytes)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        counts = threads.map(partial(_newlines_between, file.path), bounds[:-2], bounds[1:])
        line = 1
        for (start, end), before in zip(pairwise(bounds), chain([0], counts), strict=True):
            line += before
            yield Unit(number, file, start, end, line)


def _line_bounds(file: SourceFile, part_bytes: int) -> list[int]:
    """Returns where the byte ranges of a file begin, and the last ends."""
    bounds = [0]
    with open(file.path, "rb") as stream:
        while bounds[-1] + part_bytes < file.size:
            stream.seek(bounds[-1] + part_bytes - 1)
            while (rest := stream.readline(_NEAR)) and not rest.endswith(b"\n"):
                pass
            bounds.append(stream.tell())
    return bounds if bounds[-1] >= file.size else [*bounds, file.size]


def _newlines_between(path: str, start: int, end: int) -> int:
    """Returns how many newlines a file has in a range of bytes."""
    found, held = 0, memoryview(bytearray(_NEAR))
    with open(path, "rb", buffering=0) as stream:
        stream.seek(start)
        while start < end and (size := stream.readinto(held[: end - start])):
            found += _newlines(held[:size])
            start += size
    return found


def _newlines(data: bytes | memoryview) -> int:
    """Returns how many newlines the bytes hold, several times as fast as ``bytes.count``: in pieces that stay near."""
    codes = np.frombuffer(data, np.uint8)
    is_newline = np.empty(min(_NEAR, codes.size), np.bool_)
    found = 0
    for start in range(0, codes.size, _NEAR):
        piece = codes[start : start + _NEAR]
        found += int(np.count_nonzero(np.equal(piece, _NEWLINE, out=is_newline[: piece.size])))
    return found
