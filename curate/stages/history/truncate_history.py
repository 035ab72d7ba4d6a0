"""The newest history that fits, in whole exchanges; the answer is never cut."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from curate.chat import message_lengths, rendered_lengths
from curate.errors import StageError
from curate.fingerprint import FileRef
from curate.rows import MESSAGE, Kind, assemble, flat_messages
from curate.stage import Edit, Edited
from curate.stages.history.cutting import SYSTEM, cuts, targets, with_exchanges
from curate.tokens import Tokenizer, load_tokenizer

_SLACK = 64
"""Estimated lengths nearer to the limit than this, or than 5 % of it, are rendered to be sure."""


class TruncateHistory(Edit):
    """Cuts the oldest exchanges of a conversation until the rest fits; system and tools always stay."""

    name: ClassVar[str] = "truncate_history"
    kinds: ClassVar[tuple[Kind, ...]] = ("chat",)
    reasons: ClassVar[tuple[str, ...]] = (
        "history_truncated",
        "history_expanded",
        "trailing_turns",
        "target_too_long",
        "last_turn_too_long",
        "template_refused",
    )
    libraries: ClassVar[tuple[str, ...]] = ("tokenizers", "fastokens", "jinja2")

    max_source: int = Field(ge=1, description="most tokens before the answer, with the chat template's own")
    max_target: int | None = Field(default=None, ge=1, description="most tokens of the answer; a longer one is dropped")
    expand: Literal["none", "every"] = Field(
        default="none",
        description="one row for the last answer, or one for every trained answer, each with the history before it",
    )
    tokenizer: FileRef | None = Field(default=None, description="tokenizer that counts; default the recipe's")

    @property
    def needs_tokenizer(self) -> bool:
        """True: lengths are counted in tokens."""
        return True

    def edit(self, rows: pl.DataFrame) -> Edited:
        """Returns cut or expanded rows, and drops of rows whose answer or last turn alone is too long.

        Raises:
            StageError: when neither the stage nor the recipe names a tokenizer.
        """
        if self.tokenizer is None:
            raise StageError("stage 'truncate_history' has no tokenizer: set `tokenizer:` in the recipe or the stage")
        tokenizer = load_tokenizer(str(self.tokenizer))
        flat, overheads, refused = self._counted(rows, tokenizer)
        answers = cuts(flat, targets(flat, self.expand == "every"), overheads, self.max_source)
        answers = answers.join(flat.group_by("row").agg(last=pl.col("turn").max()), on="row", maintain_order="left")
        answers = answers.with_columns(
            of=pl.len().over("row"),
            fault=pl.when(pl.col("n_target") > (self.max_target or np.iinfo(np.int64).max))
            .then(pl.lit("target_too_long"))
            .when(pl.col("first").is_null() & pl.col("newest").is_not_null())
            .then(pl.lit("last_turn_too_long")),
        )
        return _proposed(rows, flat, self._verified(rows, flat, answers, tokenizer), refused)

    def _counted(self, rows: pl.DataFrame, tokenizer: Tokenizer) -> tuple[pl.DataFrame, pl.Series, pl.Series]:
        """Returns the messages with their exchange and tokens, the tokens around them, and the rows refused.

        In rows short enough as a whole nothing can be too long, so their messages count 0.
        """
        total = rendered_lengths(rows, tokenizer)
        refused = pl.Series(np.flatnonzero(total < 0), dtype=pl.UInt32)
        long = pl.Series(
            np.flatnonzero(total > min(self.max_source, self.max_target or self.max_source)), dtype=pl.UInt32
        )
        sizes = message_lengths(rows[long], tokenizer)
        sizes = sizes.with_columns(row=long.gather(sizes["row"]))
        overheads = np.zeros(rows.height, np.int64)
        overheads[long.to_numpy()] = total[long.to_numpy()]
        np.subtract.at(overheads, sizes["row"].to_numpy(), sizes["n_tokens"].to_numpy())
        flat = with_exchanges(flat_messages(rows).filter(~pl.col("row").is_in(refused.implode())))
        flat = flat.join(sizes, on=["row", "turn"], how="left", maintain_order="left")
        return flat.with_columns(pl.col("n_tokens").fill_null(0)), pl.Series(overheads), refused

    def _verified(
        self, rows: pl.DataFrame, flat: pl.DataFrame, answers: pl.DataFrame, tokenizer: Tokenizer
    ) -> pl.DataFrame:
        """Renders the cut rows near the limit and cuts one more exchange wherever the estimate was short."""
        changed = (pl.col("first") > pl.col("oldest")) | (pl.col("target") < pl.col("last"))
        near = pl.col("n_source") > self.max_source - max(_SLACK, self.max_source // 20)
        doubtful = answers.filter(changed & near & pl.col("fault").is_null())
        while doubtful.height:
            exact = rendered_lengths(_built(rows, flat, doubtful), tokenizer) - doubtful["n_target"].to_numpy()
            over = doubtful.filter(pl.Series(exact > self.max_source))
            answers = answers.with_columns(first=pl.col("first") + pl.col("answer").is_in(over["answer"].implode()))
            spent = pl.when(pl.col("first") > pl.col("newest")).then(pl.lit("last_turn_too_long"))
            answers = answers.with_columns(fault=pl.coalesce("fault", spent))
            doubtful = answers.join(over.select("answer"), on="answer", how="semi", maintain_order="left")
            doubtful = doubtful.filter(pl.col("fault").is_null())
        return answers


def _built(rows: pl.DataFrame, flat: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Returns one row for each answer: the system messages, the kept exchanges and the answer.

    In rows made of one answer of several, the earlier ones are not trained (weight 0): each is, in its own row.
    """
    places = answers.select("row", "target", "first", "of", at=pl.int_range(pl.len(), dtype=pl.UInt32))
    kept = flat.join(places, on="row", how="inner").filter(
        (pl.col("turn") <= pl.col("target"))
        & (
            SYSTEM
            | pl.col("first").is_null()
            | (pl.col("exchange") >= pl.col("first"))
            | (pl.col("turn") == pl.col("target"))
        )
    )
    earlier = (pl.col("of") > 1) & (pl.col("role") == "assistant") & (pl.col("turn") < pl.col("target"))
    weight = pl.when(earlier).then(pl.lit(0, dtype=pl.Int8)).otherwise("weight")
    kept = kept.with_columns(weight=weight).sort("at", "turn")
    built = assemble(kept.select(pl.col("at").alias("row"), *MESSAGE.to_schema()), answers.height)
    return rows[answers["row"]].with_columns(messages=built)


def _proposed(rows: pl.DataFrame, flat: pl.DataFrame, answers: pl.DataFrame, refused: pl.Series) -> Edited:
    """Turns the cut answers into replacements, drops of rows without any, and notes of lost children."""
    sound = pl.col("fault").is_null()
    answers = answers.with_columns(kept=sound.sum().over("row"))
    cut = pl.col("first") > pl.col("oldest")
    trailing = (pl.col("of") == 1) & (pl.col("target") < pl.col("last"))
    reason = (
        pl.when(pl.col("of") > 1)
        .then(pl.lit("history_expanded"))
        .when(cut)
        .then(pl.lit("history_truncated"))
        .when(trailing)
        .then(pl.lit("trailing_turns"))
    )
    edits = answers.filter(sound).with_columns(reason=reason).drop_nulls("reason")
    lost = answers.filter(~sound).select("row", "kept", reason="fault").unique(["row", "reason"], maintain_order=True)
    drops = lost.filter(pl.col("kept") == 0).unique("row", keep="first", maintain_order=True)
    notes = pl.concat(
        [
            lost.filter(pl.col("kept") > 0).select("row", "reason"),
            answers.filter(sound & cut & trailing).select("row", reason=pl.lit("trailing_turns")),
            pl.DataFrame({"row": refused}).with_columns(reason=pl.lit("template_refused")),
        ]
    )
    dropped = drops.select("row", "reason", action=pl.lit("drop"))
    built = _built(rows, flat, edits)
    return Edited(built, edits["row"], edits["reason"], dropped, notes.sort("row", "reason"))
