"""Records of files with one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import orjson

from curate.sources.gc_pause import gc_paused
from curate.sources.lines import LINE_LIMIT, Block, Broken, line_blocks
from curate.sources.opening import transcoded
from curate.sources.reasons import Refusal
from curate.sources.records import Records, parse
from curate.sources.spec import Unit


def jsonl_records(unit: Unit, limit: int = LINE_LIMIT) -> Iterator[Records]:
    """Yields the unit's records block by block; blank lines are counted, broken lines refused."""
    for piece in line_blocks(unit, limit):
        yield piece_records(unit, piece, limit)


def piece_records(unit: Unit, piece: Block | Broken, limit: int) -> Records:
    """Returns the records of one piece of a unit."""
    wide = transcoded(unit.file.encoding)
    records = Records(unit.number, offsets=None if wide else [])
    if isinstance(piece, Broken):
        records.refuse(piece.line, piece.offset, piece.reason, piece.detail, piece.raw)
        return records
    with gc_paused():
        if wide or unit.file.encoding == "utf-8":
            _fast(piece, records, limit)
        else:
            _careful(piece, records, unit.file.encoding, limit)
    return records


def _fast(block: Block, records: Records, limit: int) -> None:
    """Parses UTF-8 lines all at once; when one of them is broken, each by itself."""
    raws = block.lines()
    try:
        values = list(map(orjson.loads, raws))
    except (orjson.JSONDecodeError, RecursionError):
        _careful(block, records, "utf-8", limit)
        return
    if len(block.data) > limit and max(map(len, raws)) > limit:
        _careful(block, records, "utf-8", limit)
        return
    records.values, records.raws, records.unchecked = values, raws, block.data
    records.lines = list(range(block.line, block.line + len(raws)))
    if records.offsets is not None:
        records.offsets = list(accumulate([len(raw) + 1 for raw in raws[:-1]], initial=block.offset))


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
