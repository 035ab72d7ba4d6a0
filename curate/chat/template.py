"""A chat template: Jinja compiled and rendered exactly as the transformers library does it, without importing it."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.parser
import jinja2.runtime
import jinja2.sandbox

from curate.errors import TokenizerError

Message = dict[str, Any]
Spans = list[tuple[int, int]]
RENDER_DATE = datetime.date(2024, 7, 26)
"""What ``strftime_now`` says, so that a rendering never depends on the day (the date Llama 3 templates default to)."""
NO_CONTENT: tuple[Literal["missing", "none", "empty"], ...] = ("missing", "none", "empty")
REASONING_FIELDS = ("reasoning_content", "thinking", "reasoning")


class TemplateRefusedError(TokenizerError):
    """The template raised an error on a conversation; the message is the template's own."""


class ChatTemplate:
    """A compiled chat template with the special tokens it may name.

    ``variables`` are the names the template sees besides the conversation: ``bos_token`` and the like.
    """

    def __init__(
        self, source: str, variables: Mapping[str, str] | None = None, today: datetime.date = RENDER_DATE
    ) -> None:
        self.source = source
        self.variables = dict(variables or {})
        self.today = today
        self._compiled, self._tracker, self.literals = _compile(source)
        self.has_generation_tags = self._tracker.used_in(source)
        self._forms: _Forms | None = None

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
        with _RenderLog(self._tracker) as log:
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
        _NOW.date = self.today
        known = {**self.variables, "messages": chat, "tools": tools, "documents": None}
        try:
            if blocks is None:
                return self._compiled.render(known, add_generation_prompt=prompt)
            for block in self._compiled.generate(known, add_generation_prompt=prompt):
                blocks.append(block)
            return "".join(blocks)
        except RecursionError:
            raise
        except Exception as error:  # a template is foreign code: it may raise anything
            raise TemplateRefusedError(f"{type(error).__name__}: {error}") from error

    @property
    def forms(self) -> _Forms:
        """How this template wants contents and tool arguments, found by trying once."""
        if self._forms is None:
            self._forms = _find_forms(self)
        return self._forms

    def text_constants(self) -> tuple[str, ...]:
        """Returns the strings the template looks for inside contents (``'</think>' in content`` and the like)."""
        return self.literals


@dataclass(frozen=True)
class _Forms:
    """Which of the usual spellings of a message this template understands."""

    parts: bool = False  # contents as [{"type": "text", "text": ...}]
    arguments_text: bool = False  # tool arguments as a JSON string
    no_content: Literal["missing", "none", "empty"] = "missing"  # how to say that there is none
    shows_calls: bool = False  # whether tool calls are rendered at all

    def apply(self, message: Message) -> Message:
        """Returns the message so spelled."""
        content = message.get("content")
        if content is None and self.no_content != "missing":
            message = {**message, "content": None if self.no_content == "none" else ""}
        if self.parts and isinstance(message.get("content"), str):
            message = {**message, "content": [{"type": "text", "text": message["content"]}]}
        if self.arguments_text and message.get("tool_calls"):
            message = {**message, "tool_calls": [_text_arguments(call) for call in message["tool_calls"]]}
        return message


def _text_arguments(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": text}}


def _find_forms(template: ChatTemplate) -> _Forms:
    """Returns the first spelling whose rendering shows all that a small conversation says."""
    user: Message = {"role": "user", "content": "Ask1"}
    answer: Message = {"role": "assistant", "content": "Say2"}

    def shows(chat: list[Message], forms: _Forms, *words: str) -> bool:
        try:
            text = template._run([forms.apply(message) for message in chat], None, False)
        except TemplateRefusedError:
            return False
        return all(word in text for word in words) and "None" not in text

    chosen = next((f for f in (_Forms(), _Forms(parts=True)) if shows([user, answer], f, "Ask1", "Say2")), _Forms())
    call = {"id": "abcd12345", "type": "function", "function": {"name": "Fun3", "arguments": {"Key4": "Val5"}}}
    chat: list[Message] = [user, {"role": "assistant", "tool_calls": [call]}]
    spellings = [_Forms(chosen.parts, text, empty, True) for text in (False, True) for empty in NO_CONTENT]
    return next((forms for forms in spellings if shows(chat, forms, "Ask1", "Fun3", "Val5")), chosen)


def _alias_reasoning(message: Message) -> Message:
    reasoning = next((message[key] for key in REASONING_FIELDS if message.get(key) is not None), None)
    if reasoning is None:
        return message
    return {"thinking": reasoning, **message, "reasoning_content": reasoning}


class _Now:
    """The date the template being rendered is told."""

    date: datetime.date = RENDER_DATE

    def strftime(self, form: str) -> str:
        return datetime.datetime.combine(self.date, datetime.time()).strftime(form)


_NOW = _Now()


class _Generation(jinja2.ext.Extension):
    """The ``{% generation %}`` tag: notes where the assistant's own text starts and ends in the rendering."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 reads this class attribute

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        self.log: _RenderLog | None = None

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.CallBlock:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        block = jinja2.nodes.CallBlock(self.call_method("_note"), [], [], body)
        block.set_lineno(line)
        return block

    def _note(self, caller: jinja2.runtime.Macro) -> str:
        text = str(caller())
        if self.log is not None:
            start = sum(map(len, self.log.blocks))
            self.log.spans.append((start, start + len(text)))
        return text

    def used_in(self, source: str) -> bool:
        """Says whether the template marks what the assistant generates."""
        nodes = self.environment.parse(source).find_all(jinja2.nodes.CallBlock)
        return any(isinstance(n.call.node, jinja2.nodes.ExtensionAttribute) for n in nodes)


class _RenderLog:
    """What one rendering has written so far and which spans were marked as generated."""

    def __init__(self, tracker: _Generation) -> None:
        self.blocks: list[str] = []
        self.spans: Spans = []
        self._tracker = tracker

    def __enter__(self) -> _RenderLog:
        self._tracker.log = self
        return self

    def __exit__(self, *_: object) -> None:
        self._tracker.log = None


class _Dict:
    """``dict(...)`` inside templates, without the class's attributes."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args, **kwargs)


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


@lru_cache(maxsize=32)
def _compile(source: str) -> tuple[jinja2.Template, _Generation, tuple[str, ...]]:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals.update(raise_exception=_raise_exception, strftime_now=_NOW.strftime, dict=_Dict())
    try:
        compiled = environment.from_string(source)
        tree = environment.parse(source)
    except jinja2.exceptions.TemplateSyntaxError as error:
        raise TokenizerError(f"the chat template is no valid Jinja: line {error.lineno}: {error.message}") from error
    tracker = next(e for e in environment.extensions.values() if isinstance(e, _Generation))
    return compiled, tracker, _looked_for(tree)


def _looked_for(tree: jinja2.nodes.Template) -> tuple[str, ...]:
    """Finds the constants by which a template could depend on what a content says."""
    found: set[str] = set()
    for test in tree.find_all(jinja2.nodes.Compare):
        if any(operand.op in ("in", "notin") for operand in test.ops):
            found |= _strings(test.expr)
    for call in tree.find_all(jinja2.nodes.Call):
        if isinstance(call.node, jinja2.nodes.Getattr) and call.node.attr not in ("strip", "lstrip", "rstrip", "get"):
            found |= {text for argument in call.args for text in _strings(argument)}
    for filtered in tree.find_all(jinja2.nodes.Filter):
        if filtered.name in ("replace", "select", "reject"):
            found |= {text for argument in filtered.args for text in _strings(argument)}
    return tuple(sorted(found - {""}))


def _strings(node: jinja2.nodes.Node) -> set[str]:
    constants = [node] if isinstance(node, jinja2.nodes.Const) else list(node.find_all(jinja2.nodes.Const))
    return {constant.value for constant in constants if isinstance(constant.value, str)}
