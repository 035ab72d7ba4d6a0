"""The rows of one unit of work, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

from curate.sources.batch import Batch, RowMaker
from curate.sources.lines import LINE_LIMIT
from curate.sources.reader import records_of
from curate.sources.spec import Shape, SourceSpec, Unit
from curate.sources.utterances import utterance_batch


def read(spec: SourceSpec, shape: Shape, unit: Unit, limit: int = LINE_LIMIT) -> Iterator[Batch]:
    """Yields the unit's batches, each of about 4 MiB of input; for utterance tables of utterances, not yet rows.

    ``limit`` is the longest record read, in bytes; a longer one is refused without being held.
    """
    if shape.format == "utterances":
        for records in records_of(spec, unit, limit):
            yield utterance_batch(spec, shape, records)
        return
    maker = RowMaker(spec, shape)
    for records in records_of(spec, unit, limit):
        yield maker.batch(records)
