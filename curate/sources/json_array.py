"""Records of files that hold one JSON array (or one object around it, or objects one after another), streamed.

Element bounds are found by a scanner, each element is parsed alone, so memory is bounded by the longest element.
A malformed element costs one row: reading goes on at the next place where a good record of the same columns starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from curate.sources.gc_pause import gc_paused
from curate.sources.json_scan import MAX_SPANS, spans
from curate.sources.lines import LINE_LIMIT
from curate.sources.opening import as_utf8, bom_length, chunks
from curate.sources.quarantine import RAW_LIMIT
from curate.sources.reasons import DamagedFile, Refusal
from curate.sources.records import Records, parse
from curate.sources.spec import Unit

_KEY = re.compile(rb'[\s,]*("(?:[^"\\]|\\.)*")\s*:\s*')
_CANDIDATE = re.compile(rb"[,\[\n}]\s*(?=\{)")
_TRIES = 2000
_CONTENT_LISTS = frozenset(
    b'"messages" "conversations" "conversation" "dialogue" "dialog" "turns" "history" "tools" "functions" "prompt" '
    b'"chosen" "rejected" "completion"'.split()
)
"""Lists that belong to one record; a list of objects under another key is the list of records."""


def json_records(unit: Unit, limit: int = LINE_LIMIT) -> Iterator[Records]:
    """Yields the file's records in batches, and what was refused in between."""
    sequence = _Sequence(unit, limit)
    while not sequence.ended:
        with gc_paused():
            records = sequence.batch()
        yield records


class _Sequence:
    """The reader's place in the file: a window of bytes, and where in it the next value starts."""

    def __init__(self, unit: Unit, limit: int) -> None:
        encoding = unit.file.encoding
        self.unit, self.limit = unit, limit
        self.exact = encoding == "utf-8"
        stream = chunks(unit.file)
        self.stream = stream if self.exact else as_utf8(stream, encoding)
        self.data, self.offset, self.at = b"", 0, 0
        self.line, self.marked = 1, 0  # the line that byte `marked` of the window is on
        self.keys: frozenset[str] = frozenset()
        self.finished = self.ended = False
        self.damage: DamagedFile | None = None
        self._more()
        self.at = bom_length(self.data, "utf-8")
        self.container: Literal["array", "object", ""] = self._open()

    def _more(self) -> None:
        """Reads one more chunk, dropping what was read over."""
        try:
            chunk = next(self.stream)
        except StopIteration:
            chunk, self.finished = b"", True
        except DamagedFile as error:
            chunk, self.finished, self.damage = b"", True, error
        self._line_at(self.at)
        self.data, self.offset = self.data[self.at :] + chunk, self.offset + self.at
        self.at = self.marked = 0

    def _line_at(self, at: int) -> int:
        if at > self.marked:
            self.line += self.data.count(b"\n", self.marked, at)
            self.marked = at
        return self.line

    def _open(self) -> Literal["array", "object", ""]:
        """Moves into the list of records and says what holds it."""
        while not self.data[self.at :].strip() and not self.finished:
            self._more()
        start = self.at + len(self.data[self.at :]) - len(self.data[self.at :].lstrip())
        if self.data[start : start + 1] == b"[":
            self.at = start + 1
            return "array"
        inner = self._inner_list(start + 1) if self.data[start : start + 1] == b"{" else 0
        if not inner:
            return ""
        self.at = inner
        return "object"

    def _inner_list(self, at: int) -> int:
        """Where the first record of ``{"...": [{`` starts, or 0 when the object is a record itself."""
        while key := _KEY.match(self.data, at):
            at = key.end()
            if key[1] not in _CONTENT_LISTS and re.match(rb"\[\s*\{", self.data[at : at + 256]):
                return at + 1
            ends = spans(self.data, at, 1)[1]
            if not len(ends):
                return 0
            at = int(ends[0])
        return 0

    def batch(self) -> Records:
        """Returns the records of the window and moves on."""
        records = Records(self.unit.number, offsets=[] if self.exact else None)
        starts, ends, stop, closed = spans(self.data, self.at)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if not self._take(start, end, records):
                return records
        self.at = stop
        if closed:
            self._close(records)
        elif len(starts) < MAX_SPANS:
            self._unfinished(records)
        return records

    def _take(self, start: int, end: int, records: Records) -> bool:
        """Parses one value; False when its bounds were not to be trusted, so that scanning must start anew."""
        raw = self.data[start:end]
        try:
            if len(raw) > self.limit:
                raise Refusal("line_too_long", f"{len(raw):,} bytes; the limit is {self.limit:,}")
            value = parse(raw)
        except Refusal as refusal:
            return self._refuse(start, end, refusal, records)
        if type(value) is dict:
            self.keys = frozenset(value)
        records.add(value, self._line_at(start), self.offset + start, raw)
        return True

    def _refuse(self, start: int, end: int, refusal: Refusal, records: Records) -> bool:
        resume = end
        if refusal.reason == "malformed_json" and not self._sound(end):
            found = self._candidate(start + 1)
            if not found and not self.finished and len(self.data) - start <= self.limit:
                self.at = start
                self._more()
                return False
            resume = found or end
        self._bad(start, resume, refusal.reason, refusal.detail, records)
        self.at = resume
        return resume == end

    def _bad(self, start: int, end: int, reason: str, detail: str, records: Records) -> None:
        line = self._line_at(start)
        records.refuse(line, self.offset + start, reason, detail, self.data[start:end].rstrip(b", \n\r\t"))

    def _sound(self, at: int) -> bool:
        """Whether the sequence goes on well at a place: a good record, or its end."""
        starts, ends, _, closed = spans(self.data, at, 1)
        if not len(starts):
            return closed
        return self._like_a_record(int(starts[0]), int(ends[0]))

    def _like_a_record(self, start: int, end: int) -> bool:
        try:
            value: Any = parse(self.data[start:end])
        except Refusal as refusal:
            return refusal.reason == "duplicate_key"
        return type(value) is dict and (not self.keys or 2 * len(self.keys & value.keys()) >= len(self.keys))

    def _candidate(self, at: int) -> int:
        """The next place where a good record starts, or 0."""
        for tried, match in enumerate(_CANDIDATE.finditer(self.data, at)):
            if tried == _TRIES:
                break
            starts, ends, _, _ = spans(self.data, match.end(), 1)
            if len(starts) and self._like_a_record(int(starts[0]), int(ends[0])):
                return match.end()
        return 0

    def _close(self, records: Records) -> None:
        """A closing bracket: the end of the list, or one too many."""
        if self.container and self.data[self.at : self.at + 1] == b"]":
            self.at += 1
            self._after(records)
        else:
            self._bad(self.at, self.at + 1, "malformed_json", "a closing bracket too many", records)
            self.at += 1

    def _after(self, records: Records) -> None:
        """What follows the list: nothing, or the rest of the object around it."""
        self.ended = True
        while self.container == "object" and not self.finished:
            self.at = len(self.data)
            self._more()
        while not self.data[self.at :].strip() and not self.finished:
            self.at = len(self.data)
            self._more()
        if self.container == "array" and self.data[self.at :].strip():
            self._bad(self.at, len(self.data), "malformed_json", "text after the end of the array", records)
        if self.damage is not None:
            self._bad(len(self.data), len(self.data), self.damage.reason, self.damage.detail, records)

    def _unfinished(self, records: Records) -> None:
        """The window ends inside a value, or between two."""
        if not self.finished and len(self.data) - self.at <= self.limit:
            self._more()
            return
        start = self.at
        resume = self._candidate(start + 1) if start < len(self.data) else 0
        if resume:
            self._bad(start, resume, "malformed_json", "the record has no end", records)
            self.at = resume
        elif self.finished:
            self._end(start, records)
        else:
            self._skip(start, records)

    def _end(self, start: int, records: Records) -> None:
        self.ended = True
        if self.damage is not None:
            self._bad(start, len(self.data), self.damage.reason, self.damage.detail, records)
        elif start < len(self.data) and self.data[start:].strip():
            self._bad(start, len(self.data), "truncated_file", "the file ends inside a record", records)
        elif self.container:
            self._bad(start, len(self.data), "truncated_file", "the file ends before the list does", records)

    def _skip(self, start: int, records: Records) -> None:
        """Leaves out a value beyond the limit, without holding it."""
        self._bad(start, len(self.data), "line_too_long", f"no end within {self.limit:,} bytes", records)
        while True:
            self.at = max(0, len(self.data) - RAW_LIMIT)
            self._more()
            found = self._candidate(0)
            if found or self.finished:
                self.at = found or len(self.data)
                return
