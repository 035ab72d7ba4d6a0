"""A tokenizer's way of writing conversations: its template with everything found out about it, kept per process."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from curate.chat.forms import Message
from curate.chat.grammar import Grammar, learn_grammar
from curate.chat.spans import AssistantSpan, SpanFinder
from curate.chat.structure import Structure, find_structure, harmful_constants
from curate.chat.template import ChatTemplate
from curate.errors import TokenizerError
from curate.tokens import Tokenizer

FEW = 24
"""Role sequences of a call that are each taken apart by probes of their own; for more a grammar is learned first."""


@dataclass(eq=False)
class Dialect:
    """A chat template bound to a tokenizer's tokens; structures are found once for each sequence of roles.

    Where many sequences are asked for, a grammar learned from short ones puts them together.
    """

    template: ChatTemplate
    finder: SpanFinder
    harmful: tuple[str, ...]
    tool_template: SpanFinder | None = None
    grammar: Grammar | None = None
    _structures: dict[str, Structure] = field(default_factory=dict)

    def structures(self, keys: list[str]) -> list[Structure]:
        """Returns the structures of role sequences, each joined by ``|`` as in ``system|user|assistant``."""
        if self.grammar is None and sum(key not in self._structures for key in keys) > FEW:
            self.grammar = learn_grammar(self.finder)
        return [self.structure(key) for key in keys]

    def structure(self, key: str) -> Structure:
        """Returns the structure of one role sequence joined by ``|``."""
        if key not in self._structures:
            roles = tuple(key.split("|"))
            composed = self.grammar.compose(roles) if self.grammar else None
            self._structures[key] = composed or find_structure(self.finder, roles)
        return self._structures[key]

    def for_tools(self, tools: list[dict[str, Any]] | None) -> SpanFinder:
        """Returns the finder of the template that renders a row: ``tool_use`` where there are tools and such a one."""
        return self.tool_template if tools and self.tool_template else self.finder

    def render(self, messages: list[Message], tools: list[dict[str, Any]] | None) -> str:
        """Returns the rendering of one conversation; raises TemplateRefusedError."""
        return self.for_tools(tools).template.render(messages, tools)

    def spans(
        self, messages: list[Message], tools: list[dict[str, Any]] | None, text: str, turns: list[int]
    ) -> list[AssistantSpan]:
        """Returns the spans of the given assistant turns of one rendered conversation; raises TemplateRefusedError."""
        return self.for_tools(tools).spans(messages, tools, text, turns)


@lru_cache(maxsize=8)
def dialect_of(tokenizer: Tokenizer) -> Dialect:
    """Returns the dialect of a tokenizer; raises TokenizerError if it has no chat template."""
    if tokenizer.chat_template is None:
        raise TokenizerError(
            f"{tokenizer.name} has no chat template, so it can't render conversations; use the tokenizer of a chat "
            "model, or put a chat_template.jinja into the tokenizer's folder"
        )
    template = ChatTemplate(tokenizer.chat_template, tokenizer.specials)
    finder = SpanFinder(template, tokenizer.added_tokens)
    guards = finder.atoms(finder.prompt)  # a content that mimics the prompt moves where a span starts
    harmful = tuple(sorted({*harmful_constants(template), *guards}))
    tool_source = tokenizer.chat_templates.get("tool_use")
    tool_finder = (
        SpanFinder(ChatTemplate(tool_source, tokenizer.specials), tokenizer.added_tokens) if tool_source else None
    )
    return Dialect(template, finder, harmful, tool_finder)
