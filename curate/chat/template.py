"""A chat template: Jinja compiled and rendered exactly as the transformers library does it, without importing it."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from curate.chat.environment import CLOCK, RENDER_DATE, RenderLog, Spans, compile_template
from curate.chat.forms import Forms, Message, find_forms
from curate.errors import TokenizerError

REASONING_FIELDS = ("reasoning_content", "thinking", "reasoning")


class TemplateRefusedError(TokenizerError):
    """The template raised an error on a conversation; the message is the template's own."""


class ChatTemplate:
    """A compiled chat template with the special tokens it may name.

    ``variables`` are the names the template sees besides the conversation: ``bos_token`` and the like; ``constants``
    the strings it looks for inside contents (``'</think>' in content`` and the like).
    """

    def __init__(
        self, source: str, variables: Mapping[str, str] | None = None, today: datetime.date = RENDER_DATE
    ) -> None:
        self.source = source
        self.variables = dict(variables or {})
        self.today = today
        self._compiled, self._tracker, self.constants = compile_template(source)
        self.has_generation_tags = self._tracker.used_in(source)
        self._forms: Forms | None = None

    @property
    def digest(self) -> str:
        """32 hex digits over the source and the variables it renders with."""
        facts = json.dumps([self.source, self.variables, self.today.isoformat()], sort_keys=True)
        return hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()

    def render(
        self,
        messages: Sequence[Message],
        tools: list[dict[str, Any]] | None = None,
        add_generation_prompt: bool = False,
    ) -> str:
        """Returns the conversation as one string.

        Raises TemplateRefusedError with the template's own message if it refuses the conversation.
        """
        return self._render(messages, tools, add_generation_prompt)

    def render_marked(
        self, messages: Sequence[Message], tools: list[dict[str, Any]] | None = None
    ) -> tuple[str, Spans]:
        """Returns the conversation and the character spans the template itself marks as generated."""
        _ = self.forms  # found by renderings of their own, which must not be logged
        with RenderLog(self._tracker) as log:
            text = self._render(messages, tools, False, log.blocks)
        return text, log.spans

    def _render(
        self,
        messages: Sequence[Message],
        tools: list[dict[str, Any]] | None,
        prompt: bool,
        blocks: list[str] | None = None,
    ) -> str:
        forms = self.forms
        chat = [forms.apply(_alias_reasoning(message)) for message in messages]
        return self._run(chat, tools, prompt, blocks)

    def _run(
        self,
        chat: list[Message],
        tools: list[dict[str, Any]] | None,
        prompt: bool,
        blocks: list[str] | None = None,
    ) -> str:
        CLOCK.date = self.today
        known = {**self.variables, "messages": chat, "tools": tools, "documents": None}
        try:
            if blocks is None:
                return self._compiled.render(known, add_generation_prompt=prompt)
            for block in self._compiled.generate(known, add_generation_prompt=prompt):
                blocks.append(block)
            return "".join(blocks)
        except Exception as error:  # a template is foreign code: it may raise anything
            raise TemplateRefusedError(f"{type(error).__name__}: {error}") from error

    @property
    def forms(self) -> Forms:
        """How this template wants contents and tool arguments, found by trying once."""
        if self._forms is None:
            self._forms = find_forms(self._shown)
        return self._forms

    def _shown(self, chat: list[Message]) -> str:
        try:
            return self._run(chat, None, False)
        except TemplateRefusedError:
            return ""


def _alias_reasoning(message: Message) -> Message:
    reasoning = next((message[key] for key in REASONING_FIELDS if message.get(key) is not None), None)
    if reasoning is None:
        return message
    return {"thinking": reasoning, **message, "reasoning_content": reasoning}
