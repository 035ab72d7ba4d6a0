"""One row as the trainer will see it: its text and every token with its label, to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.arrow import arrow_strings
from curate.chat.conversation import message_dicts, tool_dicts
from curate.chat.dialect import dialect_of
from curate.chat.encode import ControlTokens, TrainOn, encode_rows
from curate.chat.template import TemplateRefusedError
from curate.rows import ROW_SCHEMA, conform
from curate.shards.documents import IGNORED
from curate.tokens import Tokenizer


@dataclass(frozen=True)
class RenderedRow:
    """A row's rendered text, its tokens (vocabulary strings and ids) and labels; ``reason`` if it would be dropped."""

    text: str
    tokens: list[str]
    input_ids: list[int]
    labels: list[int]
    reason: str | None = None
    detail: str | None = None

    @property
    def trained(self) -> list[bool]:
        """Whether each token is trained."""
        return [label != IGNORED for label in self.labels]


def render_row(
    row: Mapping[str, Any],
    tokenizer: Tokenizer,
    *,
    train_on: TrainOn = "all",
    control_tokens: ControlTokens = "drop",
) -> RenderedRow:
    """Returns one row (a dict of the row schema, missing fields null) as it is tokenized and masked.

    Raises TokenizerError as ``encode_rows`` does.
    """
    known = {name: [row.get(name)] for name in ROW_SCHEMA}
    frame = conform(pl.DataFrame(known, schema=ROW_SCHEMA))
    encoded = encode_rows(frame, tokenizer, train_on=train_on, control_tokens=control_tokens)
    text = _text(row, tokenizer)
    if encoded.drops.height:
        ids = tokenizer.encode(arrow_strings([text])).ids
        _, reason, detail = encoded.drops.row(0)
        return RenderedRow(text, tokenizer.tokens(ids), ids.tolist(), [IGNORED] * len(ids), reason, detail)
    ids, labels = encoded.input_ids, encoded.labels
    return RenderedRow(text, tokenizer.tokens(ids), ids.tolist(), labels.tolist())


def _text(row: Mapping[str, Any], tokenizer: Tokenizer) -> str:
    if row["kind"] == "text":
        return f"{row['text']}{tokenizer.eos.text if tokenizer.eos else ''}"
    messages = [dict(message) for message in row["messages"] or []]
    try:
        return dialect_of(tokenizer).render(message_dicts(messages), tool_dicts(row.get("tools")))
    except TemplateRefusedError:
        return ""
