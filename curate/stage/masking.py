"""Protected spans: code and quoted speech replaced by one private character, and put back after an edit."""

from __future__ import annotations

from typing import Literal

import polars as pl

Mask = Literal["code", "quotes"]

SENTINEL = "\U000f5eed"
"""Stands for one protected span. Text that already holds it is protected too, so nothing can be confused."""

_PATTERNS: dict[Mask, str] = {
    "code": r"```[\s\S]*?(?:```|\z)|`[^`\n]+`",
    "quotes": r"“[^“”]*”|「[^「」]*」|『[^『』]*』|‘[^‘’\n]{2,}’|\"[^\"\n]*\"",
}


def mask(turns: pl.DataFrame, masks: tuple[Mask, ...]) -> pl.DataFrame:
    """Returns the turns with protected spans of ``text`` replaced by SENTINEL, and the spans in column ``spans``."""
    if not masks:
        return turns.with_columns(spans=pl.lit(None, dtype=pl.List(pl.String)))
    pattern = "|".join([SENTINEL, *(_PATTERNS[m] for m in masks)])
    hit = pl.col("text").str.contains(pattern)
    return turns.with_columns(
        spans=pl.when(hit).then(pl.col("text").str.extract_all(pattern)),
        text=pl.when(hit).then(pl.col("text").str.replace_all(pattern, SENTINEL)).otherwise("text"),
    )


def unmask(turns: pl.DataFrame) -> pl.DataFrame:
    """Returns the turns with the protected spans put back in their order, column ``spans`` dropped.

    Raises:
        ValueError: when an edit lost, doubled or added a protected span.
    """
    masked = turns.with_row_index("at").filter(pl.col("spans").is_not_null())
    if masked.is_empty():
        return turns.drop("spans")
    pieces = masked.select("at", "spans", piece=pl.col("text").str.split(SENTINEL))
    if not (pieces["piece"].list.len() == pieces["spans"].list.len() + 1).all():
        raise ValueError("an edit lost or added a protected span (code or quoted speech)")
    flat = pieces.with_columns(spans=pl.concat_list("spans", pl.lit(""))).explode("piece", "spans")
    whole = flat.group_by("at", maintain_order=True).agg((pl.col("piece") + pl.col("spans")).str.join(""))
    return turns.with_columns(text=turns["text"].scatter(whole["at"], whole["piece"])).drop("spans")
