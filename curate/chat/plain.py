"""The fast way: conversations of plain text contents put together from a template's pieces, all rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from curate.arrow import column_of, texts_at
from curate.chat.conversation import TOOL_FIELDS, WHITESPACE, message_dicts
from curate.chat.dialect import Dialect
from curate.chat.segments import Positions, Segments, cut_strings
from curate.chat.template import TemplateRefusedError

SAMPLE = 64
"""Rows of each call, spread evenly, held against the real rendering, and as many first rows of their structure."""


@dataclass(frozen=True, eq=False)
class PlainRows:
    """Rows rendered from pieces: ``rows`` their positions, ``rewritten`` those with a trained turn shown otherwise."""

    rows: Positions
    segments: Segments
    rewritten: Positions


def row_structures(flat: pl.DataFrame, harmful: tuple[str, ...]) -> pl.DataFrame:
    """Returns one line a row: row, roles (joined by ``|``), plain (nothing in it that pieces can't render)."""
    usual = pl.all_horizontal(pl.col(name).is_null() for name in TOOL_FIELDS)
    filled = pl.col("content").str.strip_chars(WHITESPACE).str.len_bytes() > 0
    plain = usual & filled.fill_null(False)
    if harmful:
        plain &= ~pl.col("content").str.contains_any(list(harmful)).fill_null(False)
    return flat.group_by("row", maintain_order=True).agg(roles=pl.col("role").str.join("|"), plain=plain.all())


def piece_table(dialect: Dialect, keys: list[str]) -> pl.DataFrame:
    """Returns the pieces of the given role sequences, one line a message; opaque sequences have none."""
    lines = [
        (
            key,
            turn,
            p.before,
            p.after,
            len(p.before[: p.head].encode()),
            _tail_bytes(p.after, p.tail),
            p.edges,
            p.rewritten,
        )
        for key, structure in zip(keys, dialect.structures(keys), strict=True)
        for turn, p in enumerate(structure.pieces)
    ]
    schema = {
        "roles": pl.String,
        "turn": pl.UInt32,
        "before": pl.String,
        "after": pl.String,
        "head": pl.Int64,
        "tail": pl.Int64,
        "edges": pl.String,
        "rewritten": pl.Boolean,
    }
    return pl.DataFrame(lines, schema=schema, orient="row")


def _tail_bytes(after: str, tail: int) -> int:
    return len(after[len(after) - tail :].encode())


def render_plain(
    rows: pl.DataFrame, flat: pl.DataFrame, structures: pl.DataFrame, dialect: Dialect, train_on: str | None
) -> PlainRows:
    """Returns the plain rows rendered from pieces; rows that pieces can't render exactly are not among them.

    ``structures`` is ``row_structures`` of the rows to consider.
    """
    candidates = structures.filter("plain")
    keys = candidates["roles"].unique(maintain_order=True).to_list()
    table = piece_table(dialect, keys)
    messages = flat.join(candidates.select("row", "roles"), on="row", maintain_order="left")
    messages = messages.join(table, on=["roles", "turn"], maintain_order="left")  # opaque structures fall out
    messages = _without_odd_edges(messages)
    stripped = pl.col("content").str.strip_chars(WHITESPACE)
    content = pl.when(pl.col("edges") == "strip").then(stripped).otherwise("content")
    messages = messages.with_columns(text=pl.concat_str("before", content, "after"), trained=_is_trained(train_on))
    plain = _assemble(messages)
    return plain if _agrees(rows, plain, messages, dialect) else _assemble(messages.clear())


def _without_odd_edges(messages: pl.DataFrame) -> pl.DataFrame:
    """Leaves out rows with whitespace at an edge where the template does something but keep or strip it."""
    odd = messages.filter(
        (pl.col("edges") == "other") & (pl.col("content") != pl.col("content").str.strip_chars(WHITESPACE))
    )
    return (
        messages.join(odd.select("row").unique(), on="row", how="anti", maintain_order="left")
        if odd.height
        else messages
    )


def _is_trained(train_on: str | None) -> pl.Expr:
    if train_on is None:
        return pl.lit(False)
    answer = pl.col("role") == "assistant"
    if train_on == "last":
        answer &= pl.col("turn") == pl.col("turn").filter(answer).max().over("row")
    return (answer & pl.col("weight").ne_missing(0)).fill_null(False)


def _assemble(messages: pl.DataFrame) -> PlainRows:
    """Cuts each message's text in before, trained and after; a message that is not trained is one segment."""
    texts = column_of(messages["text"].rechunk())
    ends = np.cumsum(messages["text"].str.len_bytes().to_numpy().astype(np.int64))
    begins = np.append(0, ends[:-1])[: len(ends)]
    heads, tails = messages["head"].to_numpy(), messages["tail"].to_numpy()
    trained = messages["trained"].to_numpy()
    cuts = np.stack([begins, begins + heads, ends - tails], axis=1).reshape(-1)
    flags = np.zeros(3 * len(ends), np.bool_)
    flags[1::3] = trained
    row = messages["row"].to_numpy()
    first = np.flatnonzero(np.append(True, row[1:] != row[:-1])[: len(row)])
    pieces = cut_strings(texts, np.append(cuts, ends[-1] if len(ends) else 0))
    segments = Segments(pieces, flags, 3 * np.append(first, len(row))).merged()
    rewritten = np.unique(row[trained & messages["rewritten"].to_numpy()])
    return PlainRows(row[first].astype(np.int64), segments, rewritten.astype(np.int64))


def _agrees(rows: pl.DataFrame, plain: PlainRows, messages: pl.DataFrame, dialect: Dialect) -> bool:
    """Says whether the real rendering gives the same text: for first rows of a structure, and for a sample."""
    if not len(plain.rows):
        return True
    firsts = messages.unique("roles", keep="first", maintain_order=True)["row"].to_numpy().astype(np.int64)
    picks = np.linspace(0, len(plain.rows) - 1, min(SAMPLE, len(plain.rows))).astype(np.int64)
    firsts = firsts[np.linspace(0, len(firsts) - 1, min(SAMPLE, len(firsts))).astype(np.int64)]
    at = np.unique(np.concatenate([picks, np.searchsorted(plain.rows, firsts)]))
    shown = texts_at(plain.segments.whole(), at)
    real = rows["messages"].gather(plain.rows[at]).to_list()
    try:
        return all(dialect.render(message_dicts(chat), None) == text for chat, text in zip(real, shown, strict=True))
    except TemplateRefusedError:
        return False
