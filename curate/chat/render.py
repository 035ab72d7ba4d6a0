"""Chat rows to segments of text, each by the cheapest way that is exact."""

from __future__ import annotations

import numpy as np
import polars as pl

from curate.chat.careful import CarefulRows, DropRowError, refuse_rewriting, render_one
from curate.chat.dialect import dialect_of
from curate.chat.plain import PlainRows, render_plain, row_structures
from curate.chat.segments import Positions
from curate.tokens import Tokenizer


def render_chats(
    rows: pl.DataFrame, flat: pl.DataFrame, chats: Positions, tokenizer: Tokenizer, train_on: str | None
) -> tuple[PlainRows, CarefulRows]:
    """Returns the given chat rows rendered: from pieces where they do, through Jinja where not.

    ``train_on`` is ``all`` or ``last``; None trains nothing and looks for no spans. Raises TokenizerError if there is
    no template, or if it rewrites a turn that should be trained (``all``).
    """
    careful = CarefulRows()
    if not len(chats):
        return PlainRows(chats, CarefulRows().segments(), chats), careful
    dialect = dialect_of(tokenizer)
    wanted = pl.DataFrame({"row": chats.astype(np.uint32)})
    flat = flat.join(wanted, on="row", how="semi", maintain_order="left")
    structures = row_structures(flat, dialect.harmful)
    with_tools = wanted.filter(rows["tools"].gather(chats).is_not_null())
    structures = structures.with_columns(plain=pl.col("plain") & ~pl.col("row").is_in(with_tools["row"].implode()))
    plain = render_plain(rows, flat, structures, dialect, train_on)
    if len(plain.rewritten) and train_on == "all":
        refuse_rewriting(train_on)
    rest = np.setdiff1d(chats, plain.rows, assume_unique=True)
    for row, data in zip(rest, rows.select("messages", "tools")[rest].iter_rows(named=True), strict=True):
        try:
            runs = render_one(data, dialect, train_on)
        except DropRowError as drop:
            careful.drops.append((int(row), drop.reason, drop.detail))
        else:
            careful.rows.append(int(row))
            careful.runs.append(runs)
    return plain, careful
