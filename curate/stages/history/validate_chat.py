"""Conversations made sound: turns alternate, tools are answered, and every row ends in something to learn."""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from curate.rows import Kind, assemble, flat_messages
from curate.stage import Edit, Edited
from curate.stages.history.mending import BLANK, CALLING, Found, Mended, Policy, mend

_CALL_NAMES = pl.List(pl.Struct({"function": pl.Struct({"name": pl.String})}))
_ANSWERS = {"chosen": "empty_chosen", "rejected": "empty_rejected", "completion": "empty_completion"}


class ValidateChat(Edit):
    """Mends conversations where the mend is certain and drops the ones that can't teach a sound answer."""

    name: ClassVar[str] = "validate_chat"
    kinds: ClassVar[tuple[Kind, ...]] = ("chat", "preference", "kto")
    reasons: ClassVar[tuple[str, ...]] = (
        "empty_turn",
        "system_moved",
        "trailing_turns",
        "turns_merged",
        "leading_assistant",
        "unknown_role",
        "no_assistant_turn",
        "no_user_turn",
        "dangling_tool_result",
        "unanswered_tool_call",
        "undeclared_tool",
        "wrong_alternation",
        "empty_prompt",
        "prompt_not_ending_with_user",
        "empty_chosen",
        "empty_rejected",
        "empty_completion",
        "answer_not_assistant",
        "identical_pair",
        "missing_label",
    )

    alternation: Literal["merge", "drop"] = Field(
        default="merge", description="neighbouring turns of one role: join them with a newline, or drop the row"
    )
    leading_assistant: Literal["keep", "context", "drop"] = Field(
        default="context",
        description="what the assistant says before the first user turn: train it, keep it untrained (weight 0), "
        "or take it out",
    )

    def edit(self, rows: pl.DataFrame) -> Edited:
        """Returns mended rows (the first mend is the reason, further ones are notes) and drops."""
        chats = self._mended(rows, "messages", "chat", answered=True)
        prompts = self._mended(rows, "prompt", "preference", "kto", answered=False)
        undeclared = [_undeclared_tools(rows, chats.flat), _undeclared_tools(rows, prompts.flat)]
        faults = [_no_messages(rows), chats.faults, prompts.faults, *undeclared, _answer_faults(rows, prompts.flat)]
        drops = pl.concat(faults).unique("row", keep="first", maintain_order=True).sort("row")
        mends = pl.concat([chats.mends, prompts.mends]).join(drops, on="row", how="anti", maintain_order="left")
        first = mends.unique("row", keep="first", maintain_order=True).sort("row")
        edited = _replaced(rows, first["row"], {"messages": chats.flat, "prompt": prompts.flat})
        further = mends.join(first, on=["row", "reason"], how="anti", maintain_order="left")
        dropped = drops.select("row", "reason", action=pl.lit("drop"))
        notes = further.unique(maintain_order=True).sort("row", maintain_order=True)
        return Edited(edited, first["row"], first["reason"], dropped, notes)

    def _mended(self, rows: pl.DataFrame, field: str, *kinds: str, answered: bool) -> Mended:
        of_kind = pl.int_range(rows.height, dtype=pl.UInt32, eager=True).filter(rows["kind"].is_in(list(kinds)))
        flat = flat_messages(rows, field)
        if len(of_kind) < rows.height:
            flat = flat.filter(pl.col("row").is_in(of_kind.implode()))
        return mend(flat, Policy(self.alternation, self.leading_assistant, answered))


def _reported(rows: pl.DataFrame, condition: pl.Expr, reason: str) -> Found:
    numbered = rows.with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
    return numbered.filter(condition.fill_null(False)).select("row", reason=pl.lit(reason))


def _no_messages(rows: pl.DataFrame) -> Found:
    nothing = (pl.col("kind") == "chat") & (pl.col("messages").list.len().fill_null(0) == 0)
    return _reported(rows, nothing, "no_assistant_turn")


def _undeclared_tools(rows: pl.DataFrame, flat: pl.DataFrame) -> Found:
    """Finds calls of functions that the row's tools do not name; a row without a list of tools is not judged."""
    calling = flat.filter(pl.col("tool_calls").is_not_null())
    names = (
        calling.select("row", name=pl.col("tool_calls").str.json_decode(_CALL_NAMES)).explode("name").drop_nulls("name")
    )
    tools = rows["tools"].gather(names["row"]).str.replace_all(r'"name"\s*:\s*"', '"name":"')
    name = pl.col("name").struct.field("function").struct.field("name")
    declared = pl.col("tools").str.contains(pl.concat_str(pl.lit('"name":"'), name, pl.lit('"')), literal=True)
    unknown = names.with_columns(tools=tools).filter(~declared.fill_null(True))
    return unknown.select("row", reason=pl.lit("undeclared_tool"))


def _answer_faults(rows: pl.DataFrame, prompts: pl.DataFrame) -> Found:
    """Finds pairs and judged completions whose prompt or answers can't be trained on."""
    pair, judged = pl.col("kind") == "preference", pl.col("kind") == "kto"
    last = prompts.group_by("row", maintain_order=True).agg(pl.col("role").last())
    index = pl.int_range(pl.len(), dtype=pl.UInt32)
    faults = [
        _reported(rows, (pair | judged) & ~index.is_in(last["row"].implode()), "empty_prompt"),
        last.filter(~pl.col("role").is_in(["user", "tool"])).select(
            "row", reason=pl.lit("prompt_not_ending_with_user")
        ),
    ]
    for field, reason in _ANSWERS.items():
        expected = judged if field == "completion" else pair
        faults += _field_faults(rows, field, expected, reason)
    same = pl.col("chosen").eq_missing(pl.col("rejected"))
    faults.append(_reported(rows, pair & same, "identical_pair"))
    faults.append(_reported(rows, judged & pl.col("label").is_null(), "missing_label"))
    return pl.concat(faults)


def _field_faults(rows: pl.DataFrame, field: str, expected: pl.Expr, reason: str) -> list[Found]:
    flat = flat_messages(rows, field)
    whole = flat.group_by("row", maintain_order=True).agg(
        said=((~BLANK | CALLING) & (pl.col("role") == "assistant")).any(),
        ends=(pl.col("role").first() == "assistant") & (pl.col("role").last() == "assistant"),
    )
    index = pl.int_range(pl.len(), dtype=pl.UInt32)
    empty = expected & ~index.is_in(whole.filter("said")["row"].implode())
    other = expected & index.is_in(whole.filter(~pl.col("ends"))["row"].implode())
    return [_reported(rows, empty, reason), _reported(rows, other, "answer_not_assistant")]


def _replaced(rows: pl.DataFrame, touched: pl.Series, fields: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Returns the touched rows with the given fields built anew from flat messages."""
    edited = rows[touched]
    at = pl.DataFrame({"row": touched, "at": pl.int_range(len(touched), dtype=pl.UInt32, eager=True)})
    for field, flat in fields.items():
        local = flat.join(at, on="row", how="inner", maintain_order="left").with_columns(row="at")
        if local.height:
            built = assemble(local, edited.height)
            edited = edited.with_columns(pl.when(built.list.len() > 0).then(built).otherwise(field).alias(field))
    return edited
