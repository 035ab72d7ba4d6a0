"""The loss matrix: one row for each mix, ability, rung and seed, appended trial by trial and never rewritten.

A trial is one small Parquet file under its key, so any number of workers may add to one folder and none ever holds half
a trial. The key is of what was trained on, what was trained and how: other searches find the same trial again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from curate.files import atomic_open

TRIALS = "trials"
SCHEMA = pl.Schema(
    {
        "key": pl.String,
        "settings": pl.String,
        "name": pl.String,
        "mix": pl.String,
        "data": pl.String,
        "ability": pl.String,
        "rung": pl.String,
        "seed": pl.Int64,
        "loss": pl.Float64,
        "tokens": pl.Int64,
        "validation": pl.String,
        "repetition": pl.Float64,
        "pool": pl.String,
        "share": pl.Float64,
        "trained_tokens": pl.Int64,
        "epochs": pl.Float64,
        "steps": pl.Int64,
        "trial_tokens": pl.Int64,
        "train_loss": pl.Float64,
        "seconds": pl.Float64,
    }
)
"""`share`, `trained_tokens` and `epochs` are of the ability in the mixture, as far as a rung is not shorter; `tokens` are
its validation tokens, `validation` and `pool` digests of the rows it is measured on and trained from."""
ORDER = ("name", "mix", "rung", "seed", "ability", "key")


def trial_file(folder: Path, key: str) -> Path:
    """Returns the file of a trial."""
    return folder / TRIALS / f"{key}.parquet"


def write_trial(folder: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Adds one finished trial, whole or not at all."""
    frame = pl.DataFrame(list(rows), schema=SCHEMA)
    with atomic_open(trial_file(folder, frame["key"][0])) as handle:
        frame.write_parquet(handle)


def read_trials(folder: Path, keys: Iterable[str] | None = None) -> pl.DataFrame:
    """Returns the rows of trials, all of the folder by default, in an order that does not depend on who ran them."""
    files = (
        sorted((folder / TRIALS).glob("*.parquet"))
        if keys is None
        else [trial_file(folder, k) for k in sorted(set(keys))]
    )
    if not files:
        return pl.DataFrame(schema=SCHEMA)
    return pl.concat([pl.read_parquet(file) for file in files]).sort(*ORDER)
