"""Conversations mended on one flat frame of messages: what is cut, moved, merged or untrained, and what can't be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from curate.rows import MESSAGE, ROLES

Found = pl.DataFrame
"""Rows and why: columns row (UInt32) and reason (String)."""

CALL_IDS = pl.List(pl.Struct({"id": pl.String}))
BLANK = pl.col("content").fill_null("").str.strip_chars() == ""
CALLING = pl.col("tool_calls").fill_null("[]") != "[]"


@dataclass(frozen=True)
class Policy:
    """How a conversation is mended; ``answered`` says that it ends in an answer (a chat) or waits for one (a prompt)."""

    alternation: Literal["merge", "drop"]
    leading: Literal["keep", "context", "drop"]
    answered: bool


@dataclass(frozen=True)
class Mended:
    """Messages in order (row, turn and the message fields), the mends made and the rows that can't be kept."""

    flat: pl.DataFrame
    mends: Found
    faults: Found


def mend(flat: pl.DataFrame, policy: Policy) -> Mended:
    """Mends the conversations of a flat message frame; mends and faults come in the order they were found."""
    unknown = flat.filter(~pl.col("role").is_in(list(ROLES)).fill_null(False))
    steps = [_found(unknown, "unknown_role")]
    empty = BLANK & ~CALLING & (pl.col("role") != "tool")
    whole, flat, mends = flat, flat.filter(~empty), [_found(flat.filter(empty), "empty_turn")]
    flat, moved = _systems_first(flat)
    mends.append(moved)
    if policy.answered:
        steps += [_found(whole.join(flat, on="row", how="anti"), "no_assistant_turn"), _unanswered_rows(flat)]
        last = pl.col("turn").filter(pl.col("role") == "assistant").max().over("row")
        trailing = (pl.col("turn") > last).fill_null(False)
        mends.append(_found(flat.filter(trailing), "trailing_turns"))
        flat = flat.filter(~trailing)
    steps.append(_broken_tools(flat, policy.answered))
    flat, merged, wrong = _merged(flat, policy.alternation == "drop")
    flat, opened = _leading(flat, policy)
    return Mended(flat, pl.concat([*mends, merged, opened]), pl.concat([*steps, wrong]))


def _found(flat: pl.DataFrame, reason: str) -> Found:
    return flat.select(pl.col("row").unique(maintain_order=True)).with_columns(reason=pl.lit(reason))


def _renumbered(flat: pl.DataFrame) -> pl.DataFrame:
    return flat.with_columns(turn=pl.int_range(pl.len(), dtype=pl.UInt32).over("row"))


def _systems_first(flat: pl.DataFrame) -> tuple[pl.DataFrame, Found]:
    """Moves system messages that come after other messages to the front of their row."""
    system = pl.col("role") == "system"
    first_other = pl.col("turn").filter(~system).min().over("row")
    late = flat.filter(system & (pl.col("turn") > first_other))
    if late.is_empty():
        return flat, _found(late, "system_moved")
    return _renumbered(flat.sort("row", ~system, "turn")), _found(late, "system_moved")


def _unanswered_rows(flat: pl.DataFrame) -> Found:
    """Finds rows where no assistant message comes after a user message."""
    turn, role = pl.col("turn"), pl.col("role")
    ends = flat.group_by("row", maintain_order=True).agg(
        user=turn.filter(role == "user").min(), assistant=turn.filter(role == "assistant").max()
    )
    no_answer = pl.col("assistant").is_null() | (pl.col("assistant") < pl.col("user")).fill_null(False)
    reason = pl.when(no_answer).then(pl.lit("no_assistant_turn")).when(pl.col("user").is_null())
    return ends.select("row", reason=reason.then(pl.lit("no_user_turn"))).drop_nulls("reason")


def _broken_tools(flat: pl.DataFrame, open_end: bool) -> Found:
    """Finds tool results that answer no call and calls without a result; a call may be the last thing trained."""
    has_tools = (flat["role"] == "tool") | flat["tool_calls"].is_not_null()
    rows_with_tools = flat.filter(has_tools)["row"].unique()
    part = flat.filter(pl.col("row").is_in(rows_with_tools.implode()))
    starts = (pl.col("role") != "tool") | (pl.col("row") != pl.col("row").shift()).fill_null(True)
    calls = pl.when(pl.col("role") == "assistant").then(pl.col("tool_calls")).str.json_decode(CALL_IDS)
    part = part.with_columns(block=starts.cum_sum(), calls=calls)
    part = part.with_columns(ids=pl.col("calls").first().over("block").list.eval(pl.element().struct.field("id")))
    stray = pl.col("tool_call_id").is_not_null() & (pl.col("ids").list.drop_nulls().list.len() > 0)
    stray &= ~pl.col("tool_call_id").is_in(pl.col("ids"))
    blocks = part.group_by("block", maintain_order=True).agg(
        pl.col("row").first(),
        calls=pl.col("calls").first().list.len().fill_null(0),
        results=(pl.col("role") == "tool").sum(),
        stray=stray.fill_null(False).any(),
    )
    final = (pl.col("row") != pl.col("row").shift(-1)).fill_null(True) if open_end else pl.lit(False)
    dangling = blocks.filter((pl.col("results") > pl.col("calls")) | pl.col("stray"))
    unanswered = blocks.filter((pl.col("calls") > pl.col("results")) & ~final)
    return pl.concat([_found(dangling, "dangling_tool_result"), _found(unanswered, "unanswered_tool_call")])


def _merged(flat: pl.DataFrame, refuse: bool) -> tuple[pl.DataFrame, Found, Found]:
    """Joins neighbouring messages of one role; text before a tool call goes into the calling message.

    Returns the messages, the rows merged, and the rows whose order can't be mended (with ``refuse``, none can).
    """
    role, same_row = pl.col("role"), pl.col("row") == pl.col("row").shift()
    joins = same_row & (role == role.shift()) & (role != "tool") & ~CALLING.shift()
    flat = flat.with_columns(joins=joins.fill_null(False))
    unread = flat.filter((same_row & (role == "user") & (role.shift() == "tool")).fill_null(False))
    mergeable = flat.filter("joins")
    systems = mergeable.filter(role == "system") if refuse else mergeable
    wrong = pl.concat([unread, mergeable.filter(role != "system")]) if refuse else unread
    if mergeable.is_empty():
        return flat.drop("joins"), _found(systems, "turns_merged"), _found(wrong, "wrong_alternation")
    inside = pl.col("row").is_in(mergeable["row"].unique().implode())
    joined = flat.filter(inside).group_by((~pl.col("joins")).cum_sum().alias("run"), maintain_order=True)
    whole = joined.agg(
        pl.col("row", "role", "name", "tool_call_id").first(),
        _joined("content"),
        _joined("reasoning_content"),
        pl.col("tool_calls").last(),
        pl.col("weight").min(),
        pl.col("turn").first(),
    )
    columns = ["row", "turn", *MESSAGE.to_schema()]
    both = pl.concat([flat.filter(~inside).select(columns), whole.select(columns)]).sort("row", "turn")
    return _renumbered(both), _found(systems, "turns_merged"), _found(wrong, "wrong_alternation")


def _joined(name: str) -> pl.Expr:
    text = pl.col(name)
    return pl.when(text.is_not_null().any()).then(text.drop_nulls().str.join("\n")).alias(name)


def _leading(flat: pl.DataFrame, policy: Policy) -> tuple[pl.DataFrame, Found]:
    """Untrains or takes out what the assistant says before the first user message."""
    first_user = pl.col("turn").filter(pl.col("role") == "user").min().over("row")
    opening = (pl.col("turn") < first_user).fill_null(False) & (pl.col("role") != "system")
    if policy.leading == "drop":
        return _renumbered(flat.filter(~opening)), _found(flat.filter(opening), "leading_assistant")
    if policy.leading == "keep" or not policy.answered:
        return flat, _found(flat.clear(), "leading_assistant")
    trained = opening & (pl.col("role") == "assistant") & pl.col("weight").ne_missing(pl.lit(0, dtype=pl.Int8))
    untrained = pl.when(trained).then(pl.lit(0, dtype=pl.Int8)).otherwise("weight")
    return flat.with_columns(weight=untrained), _found(flat.filter(trained), "leading_assistant")
