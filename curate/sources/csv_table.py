"""Records of CSV and TSV files, streamed; a broken record costs one line, the next line starts anew."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from curate.errors import SourceError
from curate.sources.lines import LINE_LIMIT, Broken, line_blocks
from curate.sources.opening import CHUNK, transcoded
from curate.sources.reasons import Refusal
from curate.sources.records import Records
from curate.sources.spec import Unit

RECORD_LIMIT = 16 << 20
"""Bytes within which an opened quote must close."""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    offset: int
    raw: bytes
    broken: Broken | None = None


class _Feed:
    """Hands lines to the csv reader and remembers those of the record being read, so they can be read again."""

    def __init__(self, lines: Iterator[_Line], encoding: str) -> None:
        self.lines, self.encoding = lines, encoding
        self.again: deque[_Line] = deque()
        self.taken: list[_Line] = []
        self.bytes = 0
        self.undecodable = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self.again.popleft() if self.again else next(self.lines)
        self.taken.append(line)
        if line.broken is not None:
            raise Refusal(line.broken.reason, line.broken.detail)
        self.bytes += len(line.raw) + 1
        if self.bytes > RECORD_LIMIT and len(self.taken) > 1:
            raise Refusal("malformed_csv", f"a quote is not closed within {RECORD_LIMIT:,} bytes")
        try:
            return line.raw.decode(self.encoding) + "\n"
        except UnicodeDecodeError:
            self.undecodable = True
            return line.raw.decode(self.encoding, "replace") + "\n"

    def next_record(self) -> list[_Line]:
        """Forgets the record that was read and returns its lines."""
        taken, self.taken, self.bytes, self.undecodable = self.taken, [], 0, False
        return taken

    def only_first(self) -> _Line:
        """Gives back all lines of the failed record but its first, which it returns."""
        first, *rest = self.next_record()
        self.again.extendleft(reversed(rest))
        return first


def csv_records(unit: Unit, limit: int = LINE_LIMIT) -> Iterator[Records]:
    """Yields the file's records as objects of strings, keyed by the header.

    Raises:
        SourceError: when the header names a column twice or can't be read.
    """
    csv.field_size_limit(limit)
    wide = transcoded(unit.file.encoding)
    encoding = "utf-8" if wide else unit.file.encoding
    feed = _Feed(_lines(unit, limit), encoding)
    delimiter = _delimiter(unit, feed)
    header = _header(unit, feed, delimiter)
    if not header:
        return
    records, size = Records(unit.number, offsets=None if wide else []), 0
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        try:
            size += _record(next(reader), header, feed, records)
        except StopIteration:
            break
        except (csv.Error, Refusal) as error:
            line = feed.only_first()
            reason, detail = (
                (error.reason, error.detail) if isinstance(error, Refusal) else ("malformed_csv", str(error))
            )
            _refuse(records, line, reason, detail)
            reader = csv.reader(feed, delimiter=delimiter, strict=True)
        if size >= CHUNK:
            yield records
            records, size = Records(unit.number, offsets=None if wide else []), 0
    yield records


def _refuse(records: Records, line: _Line, reason: str, detail: str) -> None:
    """Refuses one line; when damage further on broke the record, this line itself is only unclosed."""
    if line.broken is None and reason in ("truncated_file", "corrupt_file", "line_too_long"):
        reason, detail = "malformed_csv", "a quote is not closed before the damaged part of the file"
    records.refuse(line.number, line.offset, reason, detail, line.raw)


def _lines(unit: Unit, limit: int) -> Iterator[_Line]:
    for piece in line_blocks(unit, limit):
        if isinstance(piece, Broken):
            yield _Line(piece.line, piece.offset, piece.raw, piece)
            continue
        offset = piece.offset
        for number, raw in enumerate(piece.lines(), piece.line):
            yield _Line(number, offset, raw.removesuffix(b"\r"))
            offset += len(raw) + 1


def _delimiter(unit: Unit, feed: _Feed) -> str:
    """Tab for .tsv; else the one of comma, semicolon and tab that the header has most of."""
    if unit.file.kind == "tsv":
        return "\t"
    try:
        head = next(feed)
    except (StopIteration, Refusal):
        head = ""
    feed.again.extendleft(reversed(feed.next_record()))
    return max(",;\t", key=head.count)


def _header(unit: Unit, feed: _Feed, delimiter: str) -> list[str]:
    try:
        header = next(csv.reader(feed, delimiter=delimiter, strict=True), [])
    except (csv.Error, Refusal) as error:
        raise SourceError(f"{unit.file.path}: the header can't be read ({error})") from error
    feed.next_record()
    names = [name.strip().removeprefix("\ufeff") for name in header]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(
            f"{unit.file.path}: the header names {', '.join(map(repr, twice))} more than once; rename one"
        )
    return names


def _record(fields: list[str], header: list[str], feed: _Feed, records: Records) -> int:
    """Keeps or refuses one record; returns its size in bytes."""
    undecodable, size = feed.undecodable, feed.bytes
    lines = feed.next_record()
    first = lines[0]
    raw = first.raw if len(lines) == 1 else b"\n".join(line.raw for line in lines)
    if undecodable:
        records.refuse(first.number, first.offset, "invalid_encoding", f"not {feed.encoding}", raw)
    elif not fields:
        records.blank += 1
    elif len(fields) != len(header):
        detail = f"{len(fields)} fields, the header has {len(header)}"
        records.refuse(first.number, first.offset, "wrong_field_count", detail, raw)
    else:
        records.add(dict(zip(header, fields, strict=True)), first.number, first.offset, raw)
    return size
