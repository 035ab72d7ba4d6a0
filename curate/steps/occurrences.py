"""Occurrences: rows of one source with equal content get ids of their own, numbered in the order they stand.

The first of a content keeps the content's hash as its id; the nth gets hash(content, n). Counting is done over slices
of the hash space, so memory does not grow with the data, and the cut of the files does not matter.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from curate.rows import row_hash
from curate.store import read_frame, write_frame

ROWS_PER_SLICE = 4_000_000
"""Rows whose content hashes are held at once."""


def number_occurrences(folder: Path, parts: list[str], rows: int) -> int:
    """Writes ``repeats/<part>.arrow`` (row, id) for every part that holds repeated content; returns how many rows."""
    if not parts:
        return 0
    slices = max(1, -(-rows // ROWS_PER_SLICE))
    found = [_repeats(folder, parts, number, slices) for number in range(slices)]
    repeats = pl.concat(found)
    for part in repeats["part"].unique().sort().to_list():
        mine = repeats.filter(pl.col("part") == part).select("row", "id").sort("row")
        write_frame(folder / "repeats" / f"{parts[part]}.arrow", mine)
    return repeats.height


def _repeats(folder: Path, parts: list[str], number: int, slices: int) -> pl.DataFrame:
    """Returns (part, row, id) of second and later occurrences within one slice of the hash space."""
    frames = []
    for index, part in enumerate(parts):
        hashes = read_frame(folder / f"{part}.arrow", ["id"]).with_row_index("row")
        if slices > 1:
            hashes = hashes.filter(pl.col("id").str.slice(0, 6).str.to_integer(base=16) % slices == number)
        frames.append(hashes.with_columns(part=pl.lit(index, dtype=pl.UInt32)))
    repeated = pl.concat(frames).filter(pl.col("id").is_duplicated())
    counted = repeated.with_columns(n=pl.int_range(pl.len(), dtype=pl.UInt32).over("id"))
    again = counted.filter(pl.col("n") > 0)
    ids = [row_hash(content, str(n)) for content, n in again.select("id", "n").iter_rows()]
    return again.select("part", "row").with_columns(id=pl.Series(ids, dtype=pl.String))
