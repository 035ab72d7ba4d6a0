"""Occurrences: rows of one source with equal content get ids of their own, numbered in the order they stand.

The first of a content keeps the content's hash as its id; the nth gets hash(content, n). Counting is done over slices
of the hash space, so memory does not grow with the data, and the cut of the files does not matter. One slice is counted
at once; of more, hashes are first dealt to slices, bundle of parts by bundle, and repeats back to bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from curate.digests import hex_column, hex_digits
from curate.executors import Executor
from curate.files import write_bytes
from curate.steps.repeats import ids_of_repeats, repeats_among
from curate.store import cut, read_frame, read_json, read_slice, write_frame, write_slices

ROWS_PER_SLICE = 1_000_000
"""Rows whose content hashes are held at once."""

TOGETHER = 64
"""Parts whose hashes are dealt to slices together."""


@dataclass(frozen=True)
class _Deal:
    folder: Path
    parts: tuple[str, ...]
    """The parts of the bundle in a task of one bundle, else none."""
    first: int
    """The number of the first of them."""
    bundles: int
    slices: int

    def path(self, kind: str, index: int) -> Path:
        return self.folder / "occurrences" / f"{kind}-{index:05d}.arrow"

    def account(self, kind: str, index: int) -> Path:
        return self.path(kind, index).with_suffix(".json")


def number_occurrences(folder: Path, parts: list[str], rows: int, executor: Executor) -> int:
    """Writes ``repeats/<part>.arrow`` (row, id) for every part that holds repeated content; returns how many rows."""
    if not parts:
        return 0
    slices = -(-rows // ROWS_PER_SLICE)
    if slices <= 1:
        repeats = _repeats(pl.concat([_hashes(folder, part, number) for number, part in enumerate(parts)]))
        _write(folder, parts, 0, repeats)
        return repeats.height
    starts = range(0, len(parts), TOGETHER)
    deals = [_Deal(folder, tuple(parts[at : at + TOGETHER]), at, len(starts), slices) for at in starts]
    slim = _Deal(folder, (), 0, len(starts), slices)
    _map(executor, _deal_bundle, [(deal, i) for i, deal in enumerate(deals)], "hashes")
    _map(executor, _count_slice, [(slim, number) for number in range(slices)], "repeats")
    _map(executor, _write_bundle, [(deal, i) for i, deal in enumerate(deals)], "written")
    return sum(read_json(slim.account("repeats", number))["rows"] for number in range(slices))


def _map(executor: Executor, fn: Callable[[Any], None], tasks: list[tuple[_Deal, int]], kind: str) -> None:
    """Does the tasks whose account is not written yet."""
    for _ in executor.map(fn, [(deal, i) for deal, i in tasks if not deal.account(kind, i).is_file()]):
        pass


def _hashes(folder: Path, part: str, number: int) -> pl.DataFrame:
    """Returns row (UInt32), id and part (its number) of a part's rows."""
    ids = read_frame(folder / f"{part}.arrow", ["id"]).with_row_index("row")
    return ids.with_columns(part=pl.lit(number, dtype=pl.UInt32))


def _repeats(hashes: pl.DataFrame) -> pl.DataFrame:
    """Returns part, row and id of second and later occurrences, in the order they stand."""
    digits = hex_digits(hashes["id"])
    places, numbers = repeats_among(digits)
    ids = hex_column(ids_of_repeats(digits[places], numbers))
    return hashes.select("part", "row")[places].with_columns(id=ids)


def _write(folder: Path, parts: Sequence[str], first: int, repeats: pl.DataFrame) -> None:
    """Writes repeats, sorted by part and row, beside their parts."""
    places = repeats["part"].to_numpy().astype(np.int64) - first
    for part, mine in zip(parts, cut(repeats.select("row", "id"), places, len(parts)), strict=True):
        if mine.height:
            write_frame(folder / "repeats" / f"{part}.arrow", mine)


def _deal_bundle(task: tuple[_Deal, int]) -> None:
    """Deals the hashes of a bundle of parts to slices of the hash space, by part and row in each."""
    deal, bundle = task
    dealt = [_dealt(deal, part, deal.first + at) for at, part in enumerate(deal.parts)]
    write_slices(deal.path("hashes", bundle), (pl.concat(pieces) for pieces in zip(*dealt, strict=True)))
    rows = sum(piece.height for pieces in dealt for piece in pieces)
    write_bytes(deal.account("hashes", bundle), orjson.dumps({"rows": rows}))


def _dealt(deal: _Deal, part: str, number: int) -> list[pl.DataFrame]:
    """Returns the hashes of a part, a frame for each slice."""
    found = _hashes(deal.folder, part, number)
    of = pl.col("id").str.slice(0, 6).str.to_integer(base=16) % deal.slices
    found = found.with_columns(slice=of).sort("slice", maintain_order=True)
    return cut(found.drop("slice"), found["slice"].to_numpy(), deal.slices)


def _count_slice(task: tuple[_Deal, int]) -> None:
    """Numbers the repeats of a slice, and deals them back to the bundles."""
    deal, number = task
    found = pl.concat([read_slice(deal.path("hashes", bundle), number) for bundle in range(deal.bundles)])
    repeats = _repeats(found)
    bundles = repeats["part"].to_numpy() // TOGETHER
    write_slices(deal.path("repeats", number), cut(repeats, bundles, deal.bundles))
    write_bytes(deal.account("repeats", number), orjson.dumps({"rows": repeats.height}))


def _write_bundle(task: tuple[_Deal, int]) -> None:
    """Writes the repeats of a bundle's parts."""
    deal, bundle = task
    found = pl.concat([read_slice(deal.path("repeats", number), bundle) for number in range(deal.slices)])
    _write(deal.folder, deal.parts, deal.first, found.sort("part", "row"))
    write_bytes(deal.account("written", bundle), orjson.dumps({"rows": found.height}))
