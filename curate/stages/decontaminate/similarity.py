"""How much an evaluation set resembles the training rows, item by item.

An item's similarity is the largest share of its own short grams (two words, three characters; those in many items of
the set left out) that stand close together in one turn. Elangovan et al. (2021, "Memorization vs. Generalization:
Quantifying Data Leakage in NLP Performance Evaluation") show that scores are higher where this is high, so a gain on such
items says less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl

from curate.stages.decontaminate.index import QUESTION, Array, Index

TALLY: dict[str, pl.DataType] = {"item": pl.UInt32(), "similarity": pl.Float64(), "score": pl.Float64()}
FEWEST = 4
"""Short grams of its own that an item needs to be measured."""
_LEVELS = ("0.3", "0.5", "0.7", "0.9", "1.0")


def _counts(index: Index) -> Array:
    return np.where(index.sizes.kind == QUESTION, np.diff(index.short.of_part), 0)


def tally(index: Index, best: Array, matches: pl.DataFrame) -> pl.DataFrame:
    """Returns similarity and highest score of the items met in some rows (schema TALLY), sorted by item.

    ``best`` is the most short grams found of each part, ``matches`` has columns ``part`` and ``score``.
    """
    own = _counts(index)
    measured = np.flatnonzero((own >= FEWEST) & (best > 0))
    shares = np.round(best[measured] / own[measured], 4)
    alike = pl.DataFrame({"item": index.sizes.item[measured], "similarity": shares, "score": np.zeros(measured.size)})
    found = matches.select(
        item=pl.Series(index.sizes.item[matches["part"].to_numpy()]), similarity=pl.lit(0.0), score="score"
    )
    return merged([alike.cast(pl.Schema(TALLY)), found.cast(pl.Schema(TALLY))])


def merged(tallies: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Returns the highest figures of each item over tallies in any order."""
    total = pl.DataFrame(schema=TALLY)
    for one in tallies:
        total = pl.concat([total, one]).group_by("item").agg(pl.col("similarity", "score").max()).sort("item")
    return total


def summary(index: Index, tallies: Iterable[pl.DataFrame]) -> dict[str, Any]:
    """Returns for each evaluation set: items, measured ones, similarity (mean, p95, share above 0.5), items found."""
    own = _counts(index)
    most = np.zeros(len(index.items), np.int64)
    np.maximum.at(most, index.sizes.item, own)
    everything = pl.DataFrame(
        {
            "item": np.arange(len(index.items)),
            "set": [item.benchmark for item in index.items],
            "measured": most >= FEWEST,
        },
        schema_overrides={"item": pl.UInt32},
    )
    figures = everything.join(merged(tallies), on="item", how="left").fill_null(0.0).sort("item")
    read = pl.Series([item.benchmark for item in index.benchmarks.items]).value_counts(name="n")
    numbers = dict(read.iter_rows())
    sets = {name: _figures(figures.filter(pl.col("set") == name), numbers[name]) for name in index.benchmarks.names}
    return {"unreadable_records": index.benchmarks.unreadable, "sets": sets}


def _figures(items: pl.DataFrame, read: int) -> dict[str, Any]:
    shares = np.sort(np.rint(items.filter("measured")["similarity"].to_numpy() * 10_000).astype(np.int64))
    at_least = {level: int((items["score"] >= float(level)).sum()) for level in _LEVELS}
    return {
        "items": read,
        "distinct": items.height,
        "measured": int(shares.size),
        "similarity_mean": round(int(shares.sum()) / max(1, shares.size) / 10_000, 4),
        "similarity_p95": round(int(shares[-(-95 * shares.size // 100) - 1]) / 10_000, 4) if shares.size else 0.0,
        "similarity_above_half": round(int((shares > 5000).sum()) / max(1, shares.size), 4),
        "items_found_at_score": at_least,
    }


def notes(summary: dict[str, Any]) -> Iterator[str]:
    """Yields one line for each evaluation set."""
    for name, figures in summary["sets"].items():
        found = figures["items_found_at_score"]["0.5"]
        yield (
            f"{name}: {found:,} of {figures['distinct']:,} items found in the rows (score 0.5 or more); similarity to the "
            f"rows mean {figures['similarity_mean']:.2f}, p95 {figures['similarity_p95']:.2f}, "
            f"above 0.5 for {figures['similarity_above_half']:.1%} of items"
        )
    if bad := summary["unreadable_records"]:
        yield f"{bad:,} records of the evaluation sets could not be read as items"
