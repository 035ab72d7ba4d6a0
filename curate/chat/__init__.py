"""Conversations to tokens and masks: the real template, rendered fast, and the law of what is trained."""

from curate.chat.encode import REASONS, EncodedRows, EncodeStats, encode_rows
from curate.chat.template import ChatTemplate, TemplateRefusedError

__all__ = ["REASONS", "ChatTemplate", "EncodeStats", "EncodedRows", "TemplateRefusedError", "encode_rows"]
