"""Earlier releases: the index a run of `minhash_dedup` leaves in its output, and how a later run reads it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from curate.arrow import column_of, numbers_of
from curate.errors import StageError, StoreError
from curate.files import sha256_file
from curate.fingerprint import FileRef
from curate.places import local_copy, place
from curate.stage import INDEX_FILE, Reference
from curate.store import read_frame

FORMAT = 1
"""Raised whenever the same text would give other shingles."""


class IndexRef(FileRef):
    """The ``index.json`` of a dedup index; an output folder stands for the one inside it."""

    hint: ClassVar[str] = "; a run writes an index with `minhash_dedup: {index: true}`"


def index_file(path: str, stage: str) -> IndexRef:
    """Returns the index that an output folder, an index folder or an index file names."""
    given = path.rstrip("/")
    if given.endswith(f"/{INDEX_FILE}"):
        return IndexRef(path)
    inner = given if given.split("/")[-2:-1] == ["dedup"] else f"{given}/dedup/{stage}"
    return IndexRef(f"{inner}/{INDEX_FILE}")


def read_header(path: str, made_by: dict[str, Any]) -> dict[str, Any]:
    """Returns what an index says of itself.

    Raises:
        StageError: when it can't be read, or was made by other parameters than ``made_by``.
    """
    try:
        header: dict[str, Any] = orjson.loads(place(path).read_bytes())
        theirs = header["made_by"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise StageError(f"{path}: no dedup index can be read there ({error}){IndexRef.hint}") from error
    differing = [name for name, value in made_by.items() if theirs.get(name) != value]
    differs = [f"{name}: {theirs.get(name)} there, {made_by[name]} here" for name in differing]
    if differing:
        raise StageError(
            f"{path}: the index was made with other parameters ({'; '.join(differs)}); set them alike, or make it anew"
        )
    return header


def references(path: str, header: dict[str, Any]) -> list[Reference]:
    """Returns the parts of an index."""
    folder = path.rpartition("/")[0]
    return [Reference(f"{folder}/{part['file']}", part["rows"], part["sha256"]) for part in header["parts"]]


def read_reference(reference: Reference) -> pl.DataFrame:
    """Reads one part of an index.

    Raises:
        StoreError: when it is missing or not what the index says.
    """
    path = place(reference.path)
    if not path.is_file() or sha256_file(local_copy(path)) != reference.digest:
        raise StoreError(
            f"{path}: this part of a dedup index is missing or damaged; restore that output, or make it anew"
        )
    return read_frame(path)


def flat_sets(sets: pl.Series) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Returns lists of shingles one behind the other, and the offsets of rows."""
    lists = column_of(sets.rechunk())
    return numbers_of(lists.values), numbers_of(lists.offsets)
