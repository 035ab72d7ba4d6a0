"""Grades: what a trial reached on each test, one small file a trial and test beside the loss matrix.

A grade is filed under the trial's key and the test's digest, and the key knows nothing of tests: the trial is the same
trial with or without them, and trials of searches that have no tests stay as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import polars as pl

from curate.files import atomic_open
from train.grid.choices import Grade
from train.grid.matrix import ORDER

GRADES = "tests"
SCHEMA = pl.Schema({"loss": pl.Float64, "accuracy": pl.Float64, "questions": pl.Int64})
OF_TRIAL = (
    "key",
    "settings",
    "name",
    "mix",
    "data",
    "rung",
    "seed",
    "steps",
    "trial_tokens",
    "train_loss",
    "seconds",
)
"""What the rows of one trial have in common."""


def grade_file(folder: Path, key: str, digest: str) -> Path:
    """Returns the file of a trial's grade on a test."""
    return folder / GRADES / f"{key}-{digest}.parquet"


def write_grade(folder: Path, key: str, digest: str, found: Grade) -> None:
    """Files a grade, whole or not at all; one that is there stays."""
    place = grade_file(folder, key, digest)
    if not place.exists():
        with atomic_open(place) as handle:
            pl.DataFrame([asdict(found)], schema=SCHEMA).write_parquet(handle)


def read_grade(folder: Path, key: str, digest: str) -> Grade | None:
    """Returns the grade of a trial on a test, or None where it was not measured."""
    place = grade_file(folder, key, digest)
    return Grade(**pl.read_parquet(place).row(0, named=True)) if place.exists() else None


def add_grades(rows: pl.DataFrame, folder: Path, digests: Mapping[str, str]) -> pl.DataFrame:
    """Returns the loss matrix and behind it a row for each trial and test; `digests` of the tests by name.

    Such a row is of `kind` "test", the others of "validation"; `ability` is the test's name, `validation` its digest and
    `loss` the choice loss; `accuracy` and `questions` stand beside it, and what is of an ability's data is null. Without
    tests the matrix is returned as it is.
    """
    if not digests:
        return rows
    keys = rows["key"].unique(maintain_order=True)
    found = [
        {"key": key, "ability": name, "validation": digest, **asdict(one)}
        for key in keys
        for name, digest in digests.items()
        if (one := read_grade(folder, key, digest)) is not None
    ]
    schema = pl.Schema([("key", pl.String), ("ability", pl.String), ("validation", pl.String), *SCHEMA.items()])
    graded = pl.DataFrame(found, schema=schema).join(rows.select(OF_TRIAL).unique("key"), on="key")
    graded = graded.sort(*ORDER)
    parts = [rows.with_columns(kind=pl.lit("validation")), graded.with_columns(kind=pl.lit("test"))]
    return pl.concat(parts, how="diagonal")
