"""Conversations to tokens and masks: the real template, rendered fast, and the law of what is trained."""

from curate.chat.dialect import Dialect, dialect_of
from curate.chat.encode import REASONS, ControlTokens, EncodedRows, EncodeStats, TrainOn, encode_rows
from curate.chat.lengths import RowLengths, message_lengths, overheads, rendered_lengths, row_lengths
from curate.chat.row import RenderedRow, render_row
from curate.chat.template import ChatTemplate, TemplateRefusedError

__all__ = [
    "REASONS",
    "ChatTemplate",
    "ControlTokens",
    "Dialect",
    "EncodeStats",
    "EncodedRows",
    "RenderedRow",
    "RowLengths",
    "TemplateRefusedError",
    "TrainOn",
    "dialect_of",
    "encode_rows",
    "message_lengths",
    "overheads",
    "render_row",
    "rendered_lengths",
    "row_lengths",
]
