"""What a tool kept of a corpus, against its labels: precision and recall of the rows it removed.

A cluster of s rows must lose s - 1. Losing all of them is a false positive. Recall of copies counts rows; recall of
planted pairs counts pairs (a near copy and the row it was made from) of which not both were kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson
import polars as pl


@dataclass(frozen=True)
class Score:
    """Shares from 0 to 1; ``pairs`` is the recall of planted pairs of similarity ``sure`` or more."""

    removed: int
    precision: float
    exact: float
    near: float
    pairs: float


def kept_rows(files: Iterable[Path]) -> pl.Series:
    """Returns the row numbers in JSONL files: `id`, or `meta.id` where the tool has ids of its own."""
    found = []
    for path in files:
        with path.open("rb") as lines:
            for line in lines:
                row = orjson.loads(line)
                found.append(int(row["meta"]["id"] if "meta" in row else row["id"]))
    return pl.Series("row", found, pl.Int64)


def score(labels: pl.DataFrame, kept: pl.Series, sure: float = 0.75) -> Score:
    """Returns how well what was kept fits the labels of a corpus (row, kind, base, cluster, jaccard)."""
    marked = labels.with_columns(kept=pl.col("row").is_in(kept.implode()))
    clusters = marked.group_by("cluster").agg(size=pl.len(), kept=pl.col("kept").sum())
    right = int(clusters.select((pl.col("size") - pl.max_horizontal("kept", 1)).sum()).item())
    wrong = int((clusters["kept"] == 0).sum())
    near = _pairs(marked, "near")
    return Score(
        removed=int((~marked["kept"]).sum()),
        precision=right / max(1, right + wrong),
        exact=_exact(marked),
        near=1.0 - _share(near["both"]),
        pairs=1.0 - _share(near.filter(pl.col("jaccard") >= sure)["both"]),
    )


def _exact(marked: pl.DataFrame) -> float:
    """Returns the share of rows with the text of another that went, one of each text set aside."""
    texts = marked.filter(pl.col("kind").is_in(["new", "exact"])).group_by("base").agg(size=pl.len(), kept="kept")
    texts = texts.with_columns(kept=pl.col("kept").list.sum()).filter(pl.col("size") > 1)
    gone = texts.select((pl.col("size") - pl.max_horizontal("kept", 1)).sum()).item()
    return float(gone / max(1, int((texts["size"] - 1).sum())))


def _pairs(marked: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Returns planted pairs and whether both texts were kept, the base's perhaps in an exact copy."""
    texts = marked.filter(pl.col("kind").is_in(["new", "exact"])).group_by("base").agg(base_kept=pl.col("kept").any())
    pairs = marked.filter(pl.col("kind") == kind).join(texts, on="base", how="left")
    return pairs.with_columns(both=pl.col("kept") & pl.col("base_kept"))


def _share(flags: pl.Series) -> float:
    return int(flags.sum()) / max(1, len(flags))
