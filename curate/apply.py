"""Apply: one stage on one file, records in and the same shape of records out. The way to try a stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from curate.errors import SourceError, StageError
from curate.executors.serial import SerialExecutor
from curate.fingerprint import FileRef
from curate.records import records
from curate.restoring import restored
from curate.rows import row_hash
from curate.sources import Shape, SourceSpec, detect, resolve, units
from curate.sources.batch import RowMaker
from curate.sources.lines import LINE_LIMIT
from curate.sources.reader import records_of
from curate.stage import Composite, RowLocal, Select, Stage
from curate.steps.comparison import run_comparison
from curate.steps.propose import propose
from curate.store import BasePart, RowsView, read_frame, write_frame


@dataclass
class Applied:
    """What happened, counted while records are read: ``reasons`` by (action, reason)."""

    records: int = 0
    written: int = 0
    refused: int = 0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Read:
    """A batch of records with the rows made of them; row i was made of ``values[i]``."""

    values: list[dict[str, Any]]
    rows: pl.DataFrame
    refused: int


def apply_stage(stage: Stage, path: Path, tally: Applied, **source: Any) -> Iterator[dict[str, Any]]:
    """Yields the records of a file after the stage, in their own shape with their own ids; counts into ``tally``.

    ``source`` are further fields of the source, such as format or columns.

    Raises:
        SourceError: when the file is missing, its shape is not known, or it holds utterances.
        StageError: when the stage counts tokens and names no tokenizer.
    """
    if stage.needs_tokenizer and not isinstance(getattr(stage, "tokenizer", None), FileRef):
        raise StageError(f"stage {stage.name!r} counts tokens here: add `--set tokenizer=FOLDER_OR_ID`")
    spec = SourceSpec.model_validate({"name": path.stem, "path": str(path), **source})
    files = resolve(spec)
    shape = detect(spec, files)
    if shape.format == "utterances":
        raise SourceError(f"{path}: a table of utterances holds no records to write back; run a recipe over it instead")
    stage = _for_documents(stage) if shape.format == "text" else stage
    stages = stage.parts() if isinstance(stage, Composite) else (stage,)
    compares = isinstance(stages[-1], Select)
    gone = _dropped_by(stages, spec, shape) if compares else {}
    for read in _batches(spec, shape):
        tally.records += len(read.values) + read.refused
        tally.refused += read.refused
        if compares:
            after = read.rows.filter(~pl.col("id").is_in(list(gone)))
            tally.reasons.update(("drop", gone[i]) for i in read.rows["id"] if i in gone)
        else:
            after = _through(stages, read.rows, tally)
        for record in _written(read, after, shape):
            tally.written += 1
            yield record


def _for_documents(stage: Stage) -> Stage:
    """Returns the stage acting on documents too, unless the user said on which roles: plain text is what was given."""
    roles = getattr(stage, "roles", None)
    if roles is None or "roles" in stage.model_fields_set or "document" in roles:
        return stage
    return stage.model_copy(update={"roles": (*roles, "document")})


def _batches(spec: SourceSpec, shape: Shape) -> Iterator[_Read]:
    """Reads the file batch by batch; each row's id is unique in the file."""
    maker = RowMaker(spec, shape)
    number = 0
    for unit in units(spec, resolve(spec)):
        for found in records_of(spec, unit, LINE_LIMIT):
            offsets: Sequence[int | None] = found.offsets or [None] * len(found.lines)
            placed = dict(zip(zip(found.lines, offsets, strict=True), found.values, strict=True))
            batch = maker.batch(found)
            hashes = batch.rows["content_hash"]
            ids = [row_hash(h, str(number + i)) for i, h in enumerate(hashes)]
            number += len(ids)
            rows = batch.rows.drop("content_hash").with_columns(id=pl.Series(ids, dtype=pl.String))
            values = [placed[place] for place in batch.origin.select("line", "offset").iter_rows()]
            yield _Read(values, rows.with_columns(group="id"), len(batch.bad))


def _through(stages: tuple[Stage, ...], rows: pl.DataFrame, tally: Applied) -> pl.DataFrame:
    """Runs row-local stages; children keep their parent's place through the column ``group``."""
    for stage in stages:
        assert isinstance(stage, RowLocal)
        delta, rows, _ = propose(stage, rows)
        tally.reasons.update(delta.ledger.select("action", "reason").iter_rows())
    return rows


def _dropped_by(stages: tuple[Stage, ...], spec: SourceSpec, shape: Shape) -> dict[str, str]:
    """Returns id -> reason of the rows that are dropped: the stages run as in a recipe, in a folder of their own."""
    with TemporaryDirectory(prefix="curate-apply-") as name:
        folder, parts, total = Path(name), [], 0
        for number, read in enumerate(_batches(spec, shape)):
            parts.append(BasePart(folder, f"part-{number:05d}"))
            write_frame(folder / f"{parts[-1].name}.arrow", read.rows.drop("group"))
            total += read.rows.height
        artifact = run_comparison(stages, RowsView(tuple(parts)), total, folder / "steps", SerialExecutor())
        ledgers = [read_frame(artifact.part(i, "ledger")) for i in range(len(parts))]
        return {name: reason for ledger in ledgers for name, reason in ledger.select("id", "reason").iter_rows()}


def _written(read: _Read, after: pl.DataFrame, shape: Shape) -> Iterator[dict[str, Any]]:
    place = {name: i for i, name in enumerate(read.rows["id"])}
    before = list(records(read.rows))
    children = Counter(after["group"])
    seen: Counter[str] = Counter()
    for row in records(after):
        parent = row["group"]
        record = restored(read.values[place[parent]], before[place[parent]], row, shape)
        if children[parent] > 1 and "id" in record:
            record = {**record, "id": f"{record['id']}#{seen[parent]}"}
            seen[parent] += 1
        yield record
