"""Records of files with one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from curate.sources.lines import LINE_LIMIT, Block, Broken, line_blocks
from curate.sources.opening import transcoded
from curate.sources.reasons import Refusal
from curate.sources.records import Records, parse, suspicious
from curate.sources.spec import Unit


def jsonl_records(unit: Unit, limit: int = LINE_LIMIT) -> Iterator[Records]:
    """Yields the unit's records block by block; blank lines are counted, broken lines refused."""
    wide = transcoded(unit.file.encoding)
    encoding = "utf-8" if wide else unit.file.encoding
    for piece in line_blocks(unit, limit):
        records = Records(unit.number, offsets=None if wide else [])
        if isinstance(piece, Broken):
            records.refuse(piece.line, piece.offset, piece.reason, piece.detail, piece.raw)
        elif encoding == "utf-8":
            _fast(piece, records, limit)
        else:
            _careful(piece, records, encoding, limit)
        yield records


def _fast(block: Block, records: Records, limit: int) -> None:
    """Parses UTF-8 lines; whatever looks odd is parsed again, carefully."""
    loads, offset = orjson.loads, block.offset
    add = records.add
    for line, raw in enumerate(block.lines(), block.line):
        try:
            value = loads(raw)
            if len(raw) > limit or suspicious(raw, value):
                _one(raw, line, offset, "utf-8", limit, records)
            else:
                add(value, line, offset, raw)
        except (orjson.JSONDecodeError, RecursionError):
            _one(raw, line, offset, "utf-8", limit, records)
        offset += len(raw) + 1


def _careful(block: Block, records: Records, encoding: str, limit: int) -> None:
    offset = block.offset
    for line, raw in enumerate(block.lines(), block.line):
        _one(raw, line, offset, encoding, limit, records)
        offset += len(raw) + 1


def _one(raw: bytes, line: int, offset: int, encoding: str, limit: int, records: Records) -> None:
    if not raw.strip():
        records.blank += 1
        return
    if len(raw) > limit:
        records.refuse(line, offset, "line_too_long", f"{len(raw):,} bytes; the limit is {limit:,}", raw)
        return
    try:
        records.add(parse(raw, encoding), line, offset, raw)
    except Refusal as refusal:
        records.refuse(line, offset, refusal.reason, refusal.detail, raw)
