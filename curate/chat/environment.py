"""The Jinja environment chat templates are written for: that of the transformers library, sandboxed."""

from __future__ import annotations

import datetime
import json
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.runtime
import jinja2.sandbox
import jinja2.utils

from curate.errors import TokenizerError

Spans = list[tuple[int, int]]
RENDER_DATE = datetime.date(2024, 7, 26)
"""What ``strftime_now`` says, so that a rendering never depends on the day (the date Llama 3 templates default to)."""


class Clock:
    """The date the template being rendered is told."""

    date: datetime.date = RENDER_DATE

    def strftime(self, form: str) -> str:
        """Returns the date in the given form, the time of day being midnight."""
        return datetime.datetime.combine(self.date, datetime.time()).strftime(form)


CLOCK = Clock()


class GenerationTag(jinja2.ext.Extension):
    """The ``{% generation %}`` tag: notes where the assistant's own text starts and ends in the rendering."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 reads this class attribute

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        self.log: RenderLog | None = None

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.CallBlock:
        """Returns the tag's body wrapped in a call that notes it."""
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


class RenderLog:
    """What one rendering has written so far and which spans were marked as generated."""

    def __init__(self, tracker: GenerationTag) -> None:
        self.blocks: list[str] = []
        self.spans: Spans = []
        self._tracker = tracker

    def __enter__(self) -> RenderLog:
        self._tracker.log = self
        return self

    def __exit__(self, *_: object) -> None:
        self._tracker.log = None


class _Namespace(jinja2.utils.Namespace):
    """``namespace(...)`` inside templates, which may not store underscored attributes."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a chat template can't store {name!r} on a namespace")
        super().__setitem__(name, value)


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
def compile_template(source: str) -> tuple[jinja2.Template, GenerationTag, tuple[str, ...]]:
    """Returns a compiled template, its generation tag, and the constants it looks for inside contents.

    Raises TokenizerError if it is no valid Jinja.
    """
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals.update(
        raise_exception=_raise_exception, strftime_now=CLOCK.strftime, dict=_Dict(), namespace=_Namespace
    )
    try:
        compiled = environment.from_string(source)
        tree = environment.parse(source)
    except jinja2.exceptions.TemplateSyntaxError as error:
        raise TokenizerError(f"the chat template is no valid Jinja: line {error.lineno}: {error.message}") from error
    tracker = next(e for e in environment.extensions.values() if isinstance(e, GenerationTag))
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
