"""Inputs: finding a source's files, seeing what shape they have, and reading them into rows with exact accounting.

    resolve(spec) ─► files ─► detect(spec, files) ─► shape ─► units(spec, files) ─► read(spec, shape, unit) ─► batches

Nothing is lost silently: the records of a file = the records in its rows + refused records + blank lines.
"""

from curate.sources.batch import ORIGIN_SCHEMA, Batch
from curate.sources.detect import detect
from curate.sources.quarantine import RAW_LIMIT, BadRow
from curate.sources.reader import PART_BYTES, units
from curate.sources.reading import BATCHES_PER_PART, read
from curate.sources.reasons import REASONS
from curate.sources.resolve import resolve
from curate.sources.spec import FORMAT_NAMES, Shape, SourceFile, SourceSpec, Unit
from curate.sources.utterances import UTTERANCE_SCHEMA, group_utterances

READER_VERSION = 2
"""Raised whenever the same files would be read into other rows."""

__all__ = [
    "BATCHES_PER_PART",
    "FORMAT_NAMES",
    "ORIGIN_SCHEMA",
    "PART_BYTES",
    "RAW_LIMIT",
    "READER_VERSION",
    "REASONS",
    "UTTERANCE_SCHEMA",
    "BadRow",
    "Batch",
    "Shape",
    "SourceFile",
    "SourceSpec",
    "Unit",
    "detect",
    "group_utterances",
    "read",
    "resolve",
    "units",
]
