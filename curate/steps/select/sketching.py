"""The first phases of a Select, by part: survey, sketch, and the order in which rows are kept."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.arrow_rows import ArrowRows
from curate.files import write_bytes
from curate.stage import Select, Sketch
from curate.steps.propose import seen_rows
from curate.steps.select.compiled import loops
from curate.steps.select.job import Job, surveyed
from curate.store import cut, read_frame, write_frame, write_slices

Task = tuple[Job, int]
DIGEST = ["high", "low"]


def survey_part(task: Task) -> None:
    """Lets the stage look at some rows of one part."""
    job, part = task
    seen, _ = _seen(job.stage, job.view.arrow(part))
    write_frame(job.part(part, "survey"), job.stage.survey(seen.at(job.stage.sample(seen.labels))))


def learn(task: Task) -> None:
    """Puts the surveys together."""
    job, _ = task
    surveys = [read_frame(job.part(part, "survey")) for part in surveyed(job.view)]
    write_frame(job.part(0, "learned"), job.stage.learn(pl.concat(surveys)))


def sketch_bundle(task: Task) -> None:
    """Sketches the parts of a bundle; slices their keys, and digests if there are many, by bucket."""
    job, bundle = task
    learned = job.learned()
    found = [_sketch_part(job, part, learned) for part in job.bundle(bundle)]
    own = pl.concat([sketch.rows for sketch, _ in found])
    if job.same_buckets > 1:
        _write_digests(job, bundle, own)
    if job.key_buckets:
        _write_keys(job, bundle, np.concatenate([sketch.keys for sketch, _ in found]))
    account: dict[str, Any] = {
        "rows": [sketch.rows.height for sketch, _ in found],
        "weight": int(own["weight"].sum()),
        "ranked": bool(own["protected"].any() or (own["rank"] != 0).any()),
        "protected": int(own["protected"].sum()),
        "siblings": any(bool((rows["group"] != rows["id"]).any()) for _, rows in found),
        "left_out": sum(rows.height - sketch.rows.height for sketch, rows in found),
    }
    write_bytes(job.account(bundle, "sketch"), orjson.dumps(account))


def _sketch_part(job: Job, part: int, learned: pl.DataFrame | None) -> tuple[Sketch, pl.DataFrame]:
    """Writes what later phases need of a part's rows; returns its sketch, and source, id and group of all rows."""
    if part < len(job.view):
        shown = job.view.arrow(part)
        sketch, rows = sketched(job.stage, shown, learned), shown.labels
    else:
        sketch, ids = job.stage.sketch_reference(job.references[part - len(job.view)], learned)
        sketch = Sketch(sketch.rows.with_columns(protected=pl.lit(False)), sketch.keys, sketch.bits)
        rows = pl.DataFrame({"id": ids, "group": ids}).with_columns(source=pl.lit(""))
    rows = rows.select("source", "id", "group")
    write_frame(job.part(part, "rows"), rows)
    words = {f"bits-{word}": pl.Series(sketch.bits[:, word]) for word in range(job.stage.bit_words)}
    write_frame(job.part(part, "sketch"), sketch.rows.with_columns(**words))
    return sketch, rows


def sketched(stage: Select, rows: ArrowRows, learned: pl.DataFrame | None) -> Sketch:
    """Returns the sketch of the rows a stage sees, ``row`` in all rows, with who is protected."""
    seen, place = _seen(stage, rows)
    sketch = stage.sketch(seen, learned)
    at = sketch.rows["row"]
    protected = pl.repeat(False, len(seen), dtype=pl.Boolean, eager=True)
    if stage.protect is not None:
        protected = stage.protect.choose(seen.labels)
    named = sketch.rows.with_columns(row=place.gather(at), protected=protected.gather(at))
    return Sketch(named, sketch.keys, sketch.bits)


def _seen(stage: Select, rows: ArrowRows) -> tuple[ArrowRows, pl.Series]:
    """Returns the rows the stage acts on, and their positions."""
    _, place = seen_rows(stage, rows.labels)
    return rows if len(place) == len(rows) else rows.at(place.to_numpy()), place


def _write_digests(job: Job, bundle: int, own: pl.DataFrame) -> None:
    """Writes digest and place in the bundle of every row, sliced by the digest's bucket."""
    frame = own.select(*DIGEST, at=pl.int_range(pl.len(), dtype=pl.UInt32))
    frame = frame.with_columns(bucket=pl.col("high") % job.same_buckets).sort("bucket", "at")
    buckets = frame["bucket"].to_numpy()
    write_slices(job.part(bundle, "digests"), cut(frame.drop("bucket"), buckets, job.same_buckets))


def _write_keys(job: Job, bundle: int, found: NDArray[np.uint64]) -> None:
    """Writes keys, sliced by bucket: 32 bits of the key the bucket does not say, 32 of the row's place in the bundle."""
    entries, bounds = loops().dealt(found, job.key_buckets)
    frames = (pl.DataFrame({"entry": entries[start:end]}) for start, end in pairwise(bounds.tolist()))
    write_slices(job.part(bundle, "keys"), frames)


def order_rows(task: Task) -> None:
    """Numbers all rows in keep order: earlier releases, protected rows, then by rank, then as they stand in the data."""
    job, _ = task
    sketches = [read_frame(job.part(part, "sketch"), ["rank", "protected"]) for part in range(job.parts)]
    frame = pl.concat(sketches)
    own = np.arange(job.nodes) < job.own
    nodes = np.lexsort((frame["rank"].to_numpy(), ~frame["protected"].to_numpy(), own)).astype(np.uint32)
    places = np.empty(nodes.size, np.uint32)
    places[nodes] = np.arange(nodes.size, dtype=np.uint32)
    write_frame(job.part(0, "places"), pl.DataFrame({"value": places}))
    write_frame(job.part(0, "nodes"), pl.DataFrame({"value": nodes}))
