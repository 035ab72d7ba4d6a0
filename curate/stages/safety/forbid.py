"""forbid: acts on dialogues in which something is said that must not be said, such as a hand-off to a human."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import AfterValidator, Field, model_validator

from curate.rows import assemble, flat_messages
from curate.stage import DROPS, Edit, Edited
from curate.stages.safety.phrases import any_of, checked_patterns, checked_terms, wanted_turns


class Forbid(Edit):
    """Drops, cuts or quarantines rows in which a forbidden term or pattern occurs."""

    name: ClassVar[str] = "forbid"
    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = ("forbidden", "forbidden_cut", "no_exchange_left")

    terms: Annotated[tuple[str, ...], AfterValidator(checked_terms)] = Field(
        default=(), description="plain substrings; full-width and half-width characters are the same"
    )
    patterns: Annotated[tuple[str, ...], AfterValidator(checked_patterns)] = Field(
        default=(), description="regular expressions in RE2 style: no look-around, no back-references"
    )
    ignore_case: bool = Field(default=True, description="letters match in either case, for terms and patterns")
    roles: tuple[str, ...] = Field(
        default=("user", "assistant", "document"), description="roles of the turns that are searched"
    )
    action: Literal["drop_row", "cut_before", "quarantine"] = Field(
        default="drop_row",
        description="drop_row; cut_before: keep the whole exchanges before the one with the forbidden turn (chats; "
        "rows of other kinds are dropped); quarantine: set the row aside for a person to look at",
    )

    @model_validator(mode="after")
    def _something_is_forbidden(self) -> Forbid:
        if not self.terms and not self.patterns:
            raise ValueError("nothing is forbidden: give `terms` or `patterns`")
        return self

    def edit(self, rows: pl.DataFrame) -> Edited:
        """Returns the cut rows and the drops."""
        forbidden = any_of(self.terms, self.patterns, ignore_case=self.ignore_case)
        hits = wanted_turns(rows, self.roles).filter(pl.col("text").str.contains(forbidden))
        first = hits.group_by("row", maintain_order=True).agg(pl.col("turn").min())
        none = pl.Series([], dtype=pl.UInt32)
        if self.action != "cut_before":
            verb = "quarantine" if self.action == "quarantine" else "drop"
            return Edited.of(rows.clear(), none, "forbidden_cut", _drops(first["row"], "forbidden", verb))
        chat = first["row"].is_in(rows["messages"].is_not_null().arg_true().implode())
        cut, kept = _cut(rows, first.filter(chat))
        lost = first["row"].filter(chat & ~first["row"].is_in(kept.implode()))
        drops = [_drops(lost, "no_exchange_left", "drop"), _drops(first["row"].filter(~chat), "forbidden", "drop")]
        return Edited.of(cut, kept, "forbidden_cut", pl.concat(drops).sort("row"))


def _drops(rows: pl.Series, reason: str, action: str) -> pl.DataFrame:
    return rows.to_frame("row").select("row", reason=pl.lit(reason), action=pl.lit(action)).cast(pl.Schema(DROPS))


def _cut(rows: pl.DataFrame, first: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Returns the chats up to the last whole exchange before the forbidden turn, and their positions; none left out
    ones. An exchange starts at the first of neighbouring user turns and is whole when it ends in a plain answer.
    """
    subset = rows[first["row"]]
    at = pl.int_range(first.height, dtype=pl.UInt32, eager=True)
    flat = flat_messages(subset).join(pl.DataFrame({"row": at, "stop": first["turn"]}), on="row", maintain_order="left")
    user = pl.col("role") == "user"
    opens = user & ~user.shift(fill_value=False).over("row")
    numbered = flat.with_columns(exchange=opens.cum_sum().over("row"))
    stop = numbered.filter(pl.col("turn") == pl.col("stop")).select("row", last="exchange")
    before = numbered.join(stop, on="row", maintain_order="left").filter(pl.col("exchange") < pl.col("last"))
    answer = (pl.col("role") == "assistant") & pl.col("tool_calls").is_null() & pl.col("content").is_not_null()
    whole = before.group_by("row", "exchange", maintain_order=True).agg(answer.last().alias("whole"))
    good = whole.filter(pl.col("whole") & (pl.col("exchange") > 0))
    final = good.group_by("row", maintain_order=True).agg(final=pl.col("exchange").max())
    kept = before.join(final, on="row", maintain_order="left").filter(pl.col("exchange") <= pl.col("final"))
    built = subset.with_columns(messages=assemble(kept, subset.height))[final["row"]]
    return built, first["row"].gather(final["row"])
