"""Runs text stages over plain texts."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from curate.rows import conform
from curate.stage import TurnEdit


def _texts(stage: TurnEdit, texts: list[str]) -> list[str]:
    ids = [f"{number:032x}" for number in range(len(texts))]
    rows = conform(pl.DataFrame({"id": ids, "kind": ["text"] * len(texts), "text": pl.Series(texts, dtype=pl.String)}))
    edited = stage.model_copy(update={"roles": ("document",)}).edit(rows)
    return _merge(texts, edited.origin.to_list(), edited.rows["text"].to_list())


def _merge(texts: list[str], origin: list[int], edited: list[str]) -> list[str]:
    merged = list(texts)
    for at, text in zip(origin, edited, strict=True):
        merged[at] = text
    return merged


@pytest.fixture(scope="session")
def edit_texts() -> Callable[..., list[str]]:
    """Runs a text stage over documents and returns every text as it is afterwards."""
    return _texts
