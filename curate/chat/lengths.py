"""How many tokens a row, each of its messages, and what surrounds them take, without making labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from curate.arrow import arrow_strings, column_of
from curate.chat.conversation import TOOL_FIELDS, WHITESPACE, flat_messages, message_dicts
from curate.chat.dialect import Dialect, dialect_of
from curate.chat.render import render_chats
from curate.chat.segments import Positions
from curate.chat.template import TemplateRefusedError
from curate.tokens import Tokenizer

REFUSED = -1
"""The length of a row that its template refuses."""
MIDDLES = {
    "user": ("user|assistant|user|assistant", 2),
    "assistant": ("user|assistant|user|assistant", 1),
    "system": ("system|user|assistant", 0),
}
"""A conversation, and the place in it, that shows what the template writes around a message of each role."""


@dataclass(frozen=True, eq=False)
class RowLengths:
    """Token counts of rows: ``total`` of each row (-1 refused), ``messages`` {row, turn, n_tokens}, ``overhead``.

    Of every row that is not refused the messages and the overhead add up to the total.
    """

    total: Positions
    messages: pl.DataFrame
    overhead: Positions


def rendered_lengths(rows: pl.DataFrame, tokenizer: Tokenizer) -> Positions:
    """Returns the exact number of tokens of each chat and text row as encoded; -1 where the template refuses it.

    Rows of other kinds have length 0.
    """
    total = np.zeros(rows.height, np.int64)
    is_text = (rows["kind"] == "text").to_numpy()
    if is_text.any():
        texts = column_of(rows["text"].filter(is_text).rechunk())
        total[is_text] = tokenizer.lengths(texts) + 1
    flat = flat_messages(rows)
    chats = flat["row"].unique(maintain_order=True).to_numpy().astype(np.int64)
    plain, careful = render_chats(rows, flat, chats, tokenizer, None)
    total[plain.rows] = tokenizer.lengths(plain.segments.whole())
    total[np.array(careful.rows, np.int64)] = tokenizer.lengths(careful.segments().whole())
    total[[row for row, _, _ in careful.drops]] = REFUSED
    return total


def row_lengths(rows: pl.DataFrame, tokenizer: Tokenizer) -> RowLengths:
    """Returns the tokens of whole rows, of each message with its header and end, and of what surrounds the messages.

    A message of plain text counts what the template writes around it in mid-conversation; in rows with tools or
    reasoning it counts by how much it lengthens the rendering. The overhead (default system text, tools, what the
    first or last place changes) is the rest, so it may be a token or two below zero.
    """
    total = rendered_lengths(rows, tokenizer)
    messages = message_lengths(rows, tokenizer)
    overhead = total.copy()
    np.subtract.at(overhead, messages["row"].to_numpy(), messages["n_tokens"].to_numpy())
    overhead[total == REFUSED] = 0
    return RowLengths(total, messages, overhead)


def overheads(rows: pl.DataFrame, tokenizer: Tokenizer) -> Positions:
    """Returns the tokens of each row that no message accounts for: tools, a default system text."""
    return row_lengths(rows, tokenizer).overhead


def message_lengths(rows: pl.DataFrame, tokenizer: Tokenizer) -> pl.DataFrame:
    """Returns {row, turn, n_tokens}: the tokens of each message of the chat rows with what is written around it."""
    flat = flat_messages(rows)
    if not flat.height:
        return pl.DataFrame(schema={"row": pl.UInt32, "turn": pl.UInt32, "n_tokens": pl.Int64})
    dialect = dialect_of(tokenizer)
    texts = _message_texts(flat, dialect)
    lengths = tokenizer.lengths(column_of(texts.rechunk()))
    exact = flat.select("row", "turn").with_columns(n_tokens=pl.Series(lengths, dtype=pl.Int64))
    odd = flat.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in TOOL_FIELDS))["row"].unique()
    if not odd.len():
        return exact
    grown = _grown_lengths(rows, odd.sort(), tokenizer, dialect)
    exact = exact.join(grown, on=["row", "turn"], how="left", maintain_order="left")
    return exact.select("row", "turn", n_tokens=pl.coalesce("grown", "n_tokens"))


def _message_texts(flat: pl.DataFrame, dialect: Dialect) -> pl.Series:
    """Returns each message's fields put between what the template writes around such a message."""
    table = [_wrap(dialect, role) for role in flat["role"].unique(maintain_order=True).to_list()]
    wraps = pl.DataFrame(table, schema=["role", "before", "after", "strip"], orient="row")
    wrapped = flat.join(wraps, on="role", how="left", maintain_order="left")
    content = pl.col("content").fill_null("")
    content = pl.when(pl.col("strip")).then(content.str.strip_chars(WHITESPACE)).otherwise(content)
    others = [pl.col(name).fill_null("") for name in ("reasoning_content", "tool_calls")]
    return wrapped.select(text=pl.concat_str("before", others[0], content, others[1], "after"))["text"]


def _wrap(dialect: Dialect, role: str) -> tuple[str, str, str, bool]:
    roles, place = MIDDLES.get(role, MIDDLES["user"])
    pieces = dialect.structure(roles).pieces
    if not pieces:
        return role, "", "", False
    piece = pieces[place]
    return role, piece.before, piece.after, piece.edges == "strip"


def _grown_lengths(rows: pl.DataFrame, odd: pl.Series, tokenizer: Tokenizer, dialect: Dialect) -> pl.DataFrame:
    """Returns {row, turn, grown}: by how many tokens each message lengthens the rendering of those before it."""
    texts: list[str] = []
    places: list[tuple[int, int]] = []
    for row, data in zip(odd, rows["messages"].gather(odd), strict=True):
        prefixes = _prefixes(data.to_list(), dialect)
        texts += prefixes
        places += [(row, turn) for turn in range(len(prefixes))]
    sizes = tokenizer.lengths(arrow_strings(texts))
    frame = pl.DataFrame(places, schema={"row": pl.UInt32, "turn": pl.UInt32}, orient="row")
    frame = frame.with_columns(size=pl.Series(sizes, dtype=pl.Int64))
    before = pl.col("size").shift(1, fill_value=0).over("row")
    return frame.select("row", "turn", grown=(pl.col("size") - before).clip(lower_bound=0))


def _prefixes(messages: list[dict[str, Any]], dialect: Dialect) -> list[str]:
    """Returns the renderings of the first 1, 2, ... messages, or none if the template refuses one."""
    chat = message_dicts(messages)
    try:
        return [dialect.render(chat[: i + 1], None) for i in range(len(chat))]
    except TemplateRefusedError:
        return []
