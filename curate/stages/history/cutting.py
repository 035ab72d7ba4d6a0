"""Where a conversation is cut: arithmetic on the tokens of its messages, in whole exchanges."""

from __future__ import annotations

import polars as pl

SYSTEM = pl.col("exchange").is_null()


def with_exchanges(flat: pl.DataFrame) -> pl.DataFrame:
    """Adds ``exchange`` (Int64): it grows at each user message after another role; null for system messages.

    What the assistant says before the first user message is exchange 0.
    """
    spoken = flat.filter(pl.col("role") != "system")
    follows = (pl.col("role").shift() == "user") & (pl.col("row").shift() == pl.col("row"))
    opens = (pl.col("role") == "user") & ~follows.fill_null(False)
    spoken = spoken.with_columns(opens=opens).select(
        "row", "turn", exchange=pl.col("opens").cast(pl.Int64).cum_sum().over("row")
    )
    return flat.join(spoken, on=["row", "turn"], how="left", maintain_order="left")


def targets(flat: pl.DataFrame, every: bool) -> pl.DataFrame:
    """Returns the answers to make rows of: row, target (turn) and n_target (tokens), in order.

    They are each row's last assistant turn, or with ``every`` all its trained assistant turns.
    """
    answers = flat.filter(pl.col("role") == "assistant")
    if every:
        answers = answers.filter(pl.col("weight").ne_missing(pl.lit(0, dtype=pl.Int8)))
    else:
        answers = answers.unique("row", keep="last", maintain_order=True)
    return answers.select("row", target="turn", n_target="n_tokens")


def cuts(flat: pl.DataFrame, answers: pl.DataFrame, overheads: pl.Series, max_source: int) -> pl.DataFrame:
    """Returns the answers with where their history is cut, in order.

    ``flat`` has row, turn, exchange and n_tokens; ``answers`` is what ``targets`` gives; ``overheads`` are the tokens
    of each row outside its messages. Added are ``oldest`` and ``newest`` (exchanges of the whole history), ``first``
    (the oldest exchange kept, null when even the newest does not fit) and ``n_source`` (estimated tokens kept).
    """
    numbered = answers.with_row_index("answer")
    before = flat.select("row", "turn", "exchange", "n_tokens").join(numbered, on="row", maintain_order="left")
    before = before.filter(pl.col("turn") < pl.col("target"))
    pinned = before.filter(SYSTEM).group_by("answer").agg(pinned=pl.col("n_tokens").sum())
    sizes = before.filter(~SYSTEM).group_by("answer", "exchange").agg(size=pl.col("n_tokens").sum())
    sizes = sizes.join(pinned, on="answer", how="left").join(numbered.select("answer", "row"), on="answer")
    fixed = pl.col("pinned").fill_null(0) + overheads.gather(sizes["row"])
    sizes = sizes.with_columns(fixed=fixed).sort("answer", -pl.col("exchange"))
    sizes = sizes.with_columns(total=pl.col("fixed") + pl.col("size").cum_sum().over("answer"))
    fits = pl.col("total") <= max_source
    chosen = sizes.group_by("answer", maintain_order=True).agg(
        oldest=pl.col("exchange").min(),
        newest=pl.col("exchange").max(),
        first=pl.col("exchange").filter(fits).min(),
        n_source=pl.col("total").filter(fits).max(),
    )
    return numbered.join(chosen, on="answer", how="left", maintain_order="left")
