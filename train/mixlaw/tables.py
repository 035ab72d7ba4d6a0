"""Tables of an experiment in CSV: one row a run, an index, one column a domain or a target; published names included."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from curate.errors import SourceError, did_you_mean
from train.mixlaw.surrogate import Array

INDEX = ("index", "", "unnamed: 0", "unnamed:_0")
"""Names of an index column, in the order they are looked for; the others are dropped."""
SPLIT = re.compile(r"^(train|training|valid|validation|val|test|eval|metric)[_/.\- ]+", re.IGNORECASE)
ENDING = re.compile(r"([_/.\- ]+(val|valid|validation|eval|test))?[_/.\- ]+loss$", re.IGNORECASE)

TWICE = re.compile(r"_duplicated_\d+$")


@dataclass(frozen=True)
class Table:
    """Numbers [n, columns] of a file, with the index of each row as it is written, or None without an index column."""

    path: Path
    columns: tuple[str, ...]
    values: Array
    index: tuple[str, ...] | None


def read_table(path: Path, only: Sequence[str] = ()) -> Table:
    """Reads a CSV with a header; empty cells are nan.

    With `only`, these columns are read, by their names or by their names without prefixes, and no others: those may hold text.

    Raises:
        SourceError: the file is missing, empty, or holds something else than numbers; a column is missing; a column or
            an index occurs twice.
    """
    frame = _read(path)
    marks = [name for word in INDEX for name in frame.columns if name.strip().lower() == word]
    index = tuple(frame[marks[0]].cast(pl.String).fill_null("").to_list()) if marks else None
    frame = frame.drop(marks)
    if not frame.height or not frame.width:
        raise SourceError(f"{path}: no rows with numbers")
    if index and len(set(index)) < len(index):
        twice = next(name for name in index if index.count(name) > 1)
        raise SourceError(f"{path}: index {twice!r} occurs twice")
    numbers = [find_column(name, frame.columns, path) for name in only]
    columns = tuple(frame.columns[number] for number in numbers) if only else tuple(frame.columns)
    return Table(path, columns, np.stack([_numbers(frame[name], path) for name in columns], axis=1), index)


def _read(path: Path) -> pl.DataFrame:
    """Reads all cells as text; polars gives a name that stands twice a number, which is told here."""
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0]
        if "more fields" in said:
            said = "a row has more cells than the header; cells are separated by commas"
        raise SourceError(f"{path}: can't be read as CSV with a header ({said})") from error
    for name in frame.columns:
        first = TWICE.sub("", name)
        if first != name and first in frame.columns:
            raise SourceError(f"{path}: column {first!r} occurs twice")
    return frame


def _numbers(column: pl.Series, path: Path) -> Array:
    text = column.str.strip_chars()
    parsed = text.cast(pl.Float64, strict=False)
    bad = (parsed.is_null() & ~text.is_in(["", "nan", "NaN", "null", "None"]).fill_null(True)).arg_true()
    if len(bad):
        row = int(bad[0])
        raise SourceError(f"{path}: row {row + 1}, column {column.name!r}: {column[row]!r} is not a number")
    return parsed.fill_null(float("nan")).to_numpy().astype(np.float64)


def join_tables(mixtures: Table, losses: Table) -> tuple[Array, Array]:
    """Returns the numbers of rows in both tables, in the order of the mixtures, matched by index.

    Without an index in both, rows are matched by position.

    Raises:
        SourceError: no index matches, only one table has one, or the row counts differ without one.
    """
    if mixtures.index is None and losses.index is None:
        if len(mixtures.values) != len(losses.values):
            raise SourceError(
                f"{mixtures.path} has {len(mixtures.values)} rows and {losses.path} {len(losses.values)}; "
                "give both an `index` column to match them by"
            )
        return mixtures.values, losses.values
    if mixtures.index is None or losses.index is None:
        without = mixtures.path if mixtures.index is None else losses.path
        raise SourceError(f"{without} has no `index` column but the other table has; give it one")
    places = {name: row for row, name in enumerate(losses.index)}
    pairs = [(row, places[name]) for row, name in enumerate(mixtures.index) if name in places]
    if not pairs:
        raise SourceError(f"no index of {mixtures.path} occurs in {losses.path}; their rows can't be matched")
    left, right = np.array(pairs).T
    return mixtures.values[left], losses.values[right]


def find_column(name: str, columns: Sequence[str], path: Path) -> int:
    """Returns the number of the column of that name: as it is, else without prefixes and endings of either.

    Raises:
        SourceError: there is none, or more than one.
    """
    if name in columns:
        return columns.index(name)
    bare = bare_names([name, *columns])
    for own, others in ((_stem(name), [_stem(c) for c in columns]), (bare[0], bare[1:])):
        found = [number for number, other in enumerate(others) if other == own]
        if len(found) == 1:
            return found[0]
    ends = [n for n, column in enumerate(columns) if re.search(rf"[_/.\- ]{re.escape(_stem(name))}$", _stem(column))]
    if len(ends) > 1:  # pile_cc ends the_pile_pile_cc and nothing shorter
        shortest = min(len(columns[n]) for n in ends)
        ends = [n for n in ends if len(columns[n]) == shortest]
    if len(ends) == 1:
        return ends[0]
    raise SourceError(f"{path}: no column {name!r}{did_you_mean(_stem(name), bare_names(columns))}")


def bare_names(columns: Sequence[str]) -> list[str]:
    """Returns names without split prefixes, loss endings and the prefix that all of them share."""
    stems = [_stem(column) for column in columns]
    first, last = min(stems), max(stems)
    same = [left == right for left, right in zip(first, last, strict=False)]
    shared = first[: same.index(False) if False in same else len(same)] if len(stems) > 1 else ""
    cut = max(shared.rfind(mark) + 1 for mark in "_/.- ")
    return [stem[cut:] or stem for stem in stems]


def _stem(name: str) -> str:
    name = ENDING.sub("", name.strip())
    while (shorter := SPLIT.sub("", name)) != name:
        name = shorter
    return name.lower()


def csv_bytes(index: Sequence[str], columns: dict[str, Array]) -> bytes:
    """Returns predictions as CSV bytes: the index and one column for each name, shortest exact decimals."""
    frame = pl.DataFrame({"index": list(index), **columns})
    return frame.write_csv().encode()
