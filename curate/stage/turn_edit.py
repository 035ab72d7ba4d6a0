"""The turn form of Edit: a text stage written once for chats, preference pairs and documents."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import polars as pl
from pydantic import Field

from curate.rows import assemble, flat_messages, merge_neighbours, turns, with_turns
from curate.stage.masking import Mask, mask, unmask
from curate.stage.shapes import DROPS, Edit, Edited


class TurnEdit(Edit):
    """Edits the text of turns, one flat frame at a time, code and quotes hidden behind ``masks``."""

    masks: ClassVar[tuple[Mask, ...]] = ()
    """Which spans the edit never sees."""
    reason: ClassVar[str]
    """The code an edited row gets in the ledger."""
    empty_reason: ClassVar[str] = "no_exchange_left"
    """The code of a row dropped because removed turns left no exchange."""

    roles: tuple[str, ...] = Field(
        default=("system", "user", "assistant", "tool", "document"),
        description="roles of the turns it edits; a document's text has the role `document`",
    )

    @abstractmethod
    def edit_turns(self, turns: pl.DataFrame) -> pl.DataFrame:
        """Returns the turns (row, field, turn, role, text), same height and order, with ``text`` edited.

        Two more columns may be added: ``remove`` (Boolean: the turn goes; only in chats, and never a tool call or
        its result) and ``note`` (a reason code that is reported without an edit, or null).
        """

    def seen_roles(self) -> tuple[str, ...]:
        """Returns the roles of the turns passed to ``edit_turns``."""
        return self.roles

    def edit(self, rows: pl.DataFrame) -> Edited:
        """Returns the rows whose turns changed, drops of rows left without an exchange, and notes."""
        before = turns(rows).filter(pl.col("role").is_in(list(self.seen_roles())))
        after = unmask(self.edit_turns(mask(before, self.masks)))
        changed = after.filter(after["text"].ne_missing(before["text"]))
        removed = _removable(rows, after) if "remove" in after.columns else after.clear()
        touched = pl.concat([changed["row"], removed["row"]]).unique().sort()
        edited = _on_subset(rows, changed, touched)
        edited, drops = _remove_turns(edited, removed, touched, self.empty_reason)
        origin = touched.filter(~touched.is_in(drops["row"].implode()))
        return Edited.of(edited, origin, self.reason, drops, _notes(after))


def _on_subset(rows: pl.DataFrame, changed: pl.DataFrame, touched: pl.Series) -> pl.DataFrame:
    """Applies turn edits to the touched rows only."""
    at = pl.DataFrame({"row": touched, "at": pl.int_range(len(touched), dtype=pl.UInt32, eager=True)})
    local = changed.join(at, on="row", how="left", maintain_order="left")
    return with_turns(rows[touched], local.with_columns(row="at"))


def _removable(rows: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Returns the turns that go: of chats alone, and without tool calls and their results, which belong together."""
    asked = after.filter(pl.col("remove") & (pl.col("field") == "messages") & (pl.col("role") != "tool"))
    calling = flat_messages(rows).filter(pl.col("tool_calls").is_not_null())
    return asked.join(calling, on=["row", "turn"], how="anti", maintain_order="left")


def _remove_turns(
    rows: pl.DataFrame, removed: pl.DataFrame, touched: pl.Series, reason: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Takes removed turns out of chats, merges neighbours of one role, drops rows left without an exchange."""
    if removed.is_empty():
        return rows, pl.DataFrame(schema=DROPS)
    at = pl.DataFrame({"original": touched, "row": pl.int_range(len(touched), dtype=pl.UInt32, eager=True)})
    gone = removed.rename({"row": "original"}).join(at, on="original")
    affected = gone["row"].unique().sort()
    flat = flat_messages(rows)
    kept = flat.join(gone, on=["row", "turn"], how="anti", maintain_order="left")
    inside = pl.col("row").is_in(affected.implode())
    merged = merge_neighbours(kept.filter(inside))
    flat = pl.concat([kept.filter(~inside), merged]).sort("row", "turn")
    rows = _with_messages(rows, flat)
    roles = merged.group_by("row").agg(whole=(pl.col("role") == "user").any() & (pl.col("role") == "assistant").any())
    whole = affected.is_in(roles.filter("whole")["row"].implode())
    lost = affected.filter(~whole)
    drops = pl.DataFrame(
        {"row": touched[lost], "reason": [reason] * len(lost), "action": ["drop"] * len(lost)}, schema=DROPS
    )
    index = pl.int_range(rows.height, dtype=pl.UInt32, eager=True)
    return rows.filter(~index.is_in(lost.implode())), drops


def _with_messages(rows: pl.DataFrame, flat: pl.DataFrame) -> pl.DataFrame:
    built = assemble(flat, rows.height)
    return rows.with_columns(messages=pl.when(pl.col("messages").is_not_null()).then(built))


def _notes(after: pl.DataFrame) -> pl.DataFrame | None:
    if "note" not in after.columns:
        return None
    noted = after.filter(pl.col("note").is_not_null()).select("row", reason="note")
    return noted.unique(maintain_order=True)
