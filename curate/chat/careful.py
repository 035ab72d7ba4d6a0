"""The careful way: one conversation at a time through Jinja, for tools, reasoning and whatever pieces can't render."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curate.arrow import arrow_strings
from curate.chat.control import MARK, UNMARK, control_pattern, mark, marks_in
from curate.chat.conversation import message_dicts, tool_dicts, trained_turns
from curate.chat.dialect import Dialect
from curate.chat.environment import Spans
from curate.chat.segments import Segments
from curate.chat.template import TemplateRefusedError
from curate.errors import TokenizerError

Run = tuple[str, bool]
"""A stretch of text and whether it is trained."""


class DropRowError(Exception):
    """A conversation that can't be used: ``reason`` is the code, ``detail`` says more."""

    def __init__(self, reason: str, detail: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(eq=False)
class CarefulRows:
    """Rows rendered one by one, collected: positions, stretches of text, and rows dropped with their reason."""

    rows: list[int] = field(default_factory=list)
    runs: list[list[Run]] = field(default_factory=list)
    drops: list[tuple[int, str, str | None]] = field(default_factory=list)

    def segments(self) -> Segments:
        """Returns the collected stretches as segments."""
        texts = arrow_strings([text for runs in self.runs for text, _ in runs])
        trained = np.array([flag for runs in self.runs for _, flag in runs], np.bool_)
        starts = np.cumsum([0, *map(len, self.runs)]).astype(np.int64)
        return Segments(texts, trained, starts).merged()


def render_one(row: dict[str, Any], dialect: Dialect, train_on: str | None) -> list[Run]:
    """Returns one chat row as stretches of text; ``train_on`` None trains nothing and looks for no spans.

    Raises DropRowError if the template refuses it, TokenizerError if it rewrites a turn to be trained.
    """
    messages, tools = message_dicts(row["messages"]), tool_dicts(row["tools"])
    return _runs(messages, tools, row, dialect, train_on)


def render_split(
    row: dict[str, Any], dialect: Dialect, train_on: str, control_tokens: tuple[str, ...]
) -> list[tuple[str, bool, bool]]:
    """Returns one chat row as (text, trained, plain); plain stretches are control-token strings of the data.

    Raises DropRowError as ``render_one``, and where the template hides or halves such a string.
    """
    pattern = control_pattern(control_tokens)
    messages, tools = message_dicts(row["messages"]), tool_dicts(row["tools"])
    if marks_in([messages, tools]):
        raise DropRowError("control_token_in_data", "noncharacters U+FDD0 or U+FDD1 beside a control token")
    runs = _runs(mark(messages, pattern), mark(tools, pattern), row, dialect, train_on)
    return [part for text, trained in runs for part in split_marked(text, trained)]


def split_marked(text: str, trained: bool) -> Iterator[tuple[str, bool, bool]]:
    """Yields the stretches of a marked text: (text, trained, plain)."""
    head, *rest = text.split(MARK)
    yield head.replace(UNMARK, ""), trained, False
    for piece in rest:
        inner, closed, after = piece.partition(UNMARK)
        if not closed:
            raise DropRowError("control_token_in_data", "the template cuts a control-token string of the data in two")
        yield inner, trained, True
        yield after, trained, False


def _runs(
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]] | None,
    row: dict[str, Any],
    dialect: Dialect,
    train_on: str | None,
) -> list[Run]:
    forms = dialect.for_tools(tools).template.forms
    if train_on and not forms.shows_calls and any("tool_calls" in message for message in messages):
        raise DropRowError("tool_calls_not_rendered", "the chat template leaves tool calls out of what it renders")
    turns = trained_turns(row["messages"], train_on) if train_on else []
    try:
        text = dialect.render(messages, tools)
        spans = dialect.spans(messages, tools, text, turns) if turns else []
    except TemplateRefusedError as error:
        raise DropRowError("template_refused", str(error)) from error
    wanted = [span for span in spans if span.turn in turns]
    if any(span.rewritten for span in wanted):
        refuse_rewriting(train_on or "all")
    return list(_cut(text, [(span.start, span.end) for span in wanted]))


def refuse_rewriting(train_on: str) -> None:
    """Raises what a template that shows a trained turn otherwise later on deserves."""
    if train_on == "last":
        raise DropRowError("history_rewritten", "turns after the last assistant turn change how it is rendered")
    raise TokenizerError(
        "this chat template rewrites history: once a conversation goes on, earlier assistant turns are rendered "
        "otherwise than when they were written (their reasoning is dropped, or their end-of-turn token changes), so "
        "training every turn at once would train text the model never writes. Give each answer a row of its own with "
        "`truncate_history: {expand: every}`, or train only the last answer with `train_on: last`"
    )


def _cut(text: str, spans: Spans) -> Iterator[Run]:
    done = 0
    for start, end in sorted(spans):
        start = max(start, done)
        if start < end:
            yield text[done:start], False
            yield text[start:end], True
            done = end
    yield text[done:], False
