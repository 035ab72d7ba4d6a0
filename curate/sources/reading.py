"""The rows of one unit of work, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

from curate.sources.batch import Batch, RowMaker
from curate.sources.jsonl import piece_records
from curate.sources.lines import LINE_LIMIT, Block, line_blocks
from curate.sources.opening import CHUNK
from curate.sources.reader import records_of
from curate.sources.spec import Shape, SourceSpec, Unit
from curate.sources.utterances import utterance_batch

LEAST_COMPILED = 1 << 20
"""Bytes of a block from which on a compiled loop reads it faster than it is loaded."""

BATCHES_PER_PART = 5
"""Batches of about a chunk that make a part, so that a unit is one part and a stream is cut every 20 MiB; no larger unit
is read in one piece."""


def read(spec: SourceSpec, shape: Shape, unit: Unit, limit: int = LINE_LIMIT) -> Iterator[Batch]:
    """Yields the unit's batches, of about 4 MiB of input or, where lines are plain chats, of all; for utterance tables of
    utterances, not yet rows.

    ``limit`` is the longest record read, in bytes; a longer one is refused without being held.
    """
    if shape.format == "utterances":
        for records in records_of(spec, unit, limit):
            yield utterance_batch(spec, shape, records)
        return
    maker = RowMaker(spec, shape)
    if unit.file.kind == "jsonl" and unit.file.encoding == "utf-8":
        yield from _lines(maker, unit, limit)
        return
    for records in records_of(spec, unit, limit):
        yield maker.batch(records)


def _lines(maker: RowMaker, unit: Unit, limit: int) -> Iterator[Batch]:
    """Yields the batches of lines of UTF-8, column by column where they are plain chats."""
    size = unit.end - unit.start
    for piece in line_blocks(unit, limit, size if CHUNK < size <= BATCHES_PER_PART * CHUNK else CHUNK):
        if isinstance(piece, Block):
            yield from _batches(maker, unit, piece, limit)
        else:
            yield maker.batch(piece_records(unit, piece, limit))


def _batches(maker: RowMaker, unit: Unit, block: Block, limit: int) -> Iterator[Batch]:
    """Yields one batch of a block of plain chats; what else is in a large one concerns only the piece it is in."""
    size = len(block.data)
    if LEAST_COMPILED <= size <= limit and (batch := maker.plain_batch(unit.number, block)):
        yield batch
    elif size > 3 * CHUNK // 2 and (halves := block.halves()):
        for half in halves:
            yield from _batches(maker, unit, half, limit)
    else:
        yield maker.batch(piece_records(unit, block, limit))
