"""The index of a Select: what later runs compare with instead of reading this release again.

While the step runs, each part writes the index of its rows that stay. The ending of a run takes from it the rows that
are in the release, since later stages drop some, into ``dedup/<step>/`` of the output: Arrow files beside an
``index.json`` that says by which parameters they were made and carries their SHA-256, so that a later run's key follows
the content of this small file.
"""

from __future__ import annotations

from pathlib import Path

import orjson
import polars as pl

from curate.files import sha256_file, write_bytes, write_json
from curate.stage import INDEX_FILE
from curate.steps.select.job import Job
from curate.store import Artifact, read_frame, read_json, write_frame

_HEADER = "header.json"


def index_part(job: Job, part: int, gone: pl.Series, groups: pl.Series) -> None:
    """Writes the index of a part's rows that stay; ``gone`` are positions in the part, ``groups`` those of all rows."""
    sketch = read_frame(job.part(part, "sketch"))
    sketch = sketch.filter(~sketch["row"].is_in(gone.implode()))
    rows = job.view.arrow(part).at(sketch["row"].to_numpy())
    found = job.stage.indexed(rows, sketch).with_columns(id=rows["id"], group=groups.gather(sketch["row"]))
    write_frame(job.artifact.part(part, "index"), found)


def write_header(job: Job) -> None:
    """Writes what the index says of itself, parts aside."""
    write_bytes(job.artifact.folder / "index" / _HEADER, orjson.dumps(job.stage.index_header(job.learned())))


def export_index(artifact: Artifact, folder: Path, groups: pl.Series) -> None:
    """Writes the index of the rows whose group is in the release into a folder of the output.

    A row that was expanded later has children in the release; they carry its group and not its id.
    """
    parts = []
    for part in range(artifact.meta["parts"]):
        found = read_frame(artifact.part(part, "index"))
        found = found.filter(found["group"].is_in(groups.implode())).drop("group")
        if not found.is_empty():
            path = folder / f"part-{part:05d}.arrow"
            write_frame(path, found)
            parts.append({"file": path.name, "rows": found.height, "sha256": sha256_file(path)})
    header = read_json(artifact.folder / "index" / _HEADER)
    write_json(folder / INDEX_FILE, {**header, "parts": parts})


def has_index(artifact: Artifact) -> bool:
    """True when a finished Select wrote an index."""
    return (artifact.folder / "index" / _HEADER).is_file()
