"""The pieces of a template: what it writes around plain text contents, found once for each sequence of roles.

A probe conversation with sentinel contents is rendered; what stands between the sentinels are the pieces. Probes with
whitespace around the sentinels tell whether contents are stripped. Whatever a probe can't settle is left to Jinja.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from curate.chat.forms import Message
from curate.chat.spans import AssistantSpan, SpanFinder
from curate.chat.template import ChatTemplate, TemplateRefusedError

Edges = Literal["keep", "strip", "other"]
EDGE_PROBES = ("\n", " ", " \n\u3000\t")


@dataclass(frozen=True)
class Piece:
    """What the template writes for one message: ``before`` + content + ``after``.

    Trained, if the message is an assistant's: all but the first ``head`` characters and the last ``tail``.
    """

    before: str
    after: str
    head: int
    tail: int
    edges: Edges
    rewritten: bool


@dataclass(frozen=True)
class Structure:
    """The pieces of every message of one sequence of roles; none where the template can't be taken apart."""

    roles: tuple[str, ...]
    pieces: tuple[Piece, ...]

    @property
    def opaque(self) -> bool:
        """Whether conversations of these roles must go through Jinja."""
        return not self.pieces


def sentinel(index: int) -> str:
    """Returns a content that no template changes and no text holds."""
    return f"\ue010{index}\ue011"


def find_structure(finder: SpanFinder, roles: tuple[str, ...]) -> Structure:
    """Returns the pieces the template writes around contents of these roles."""
    chat: list[Message] = [{"role": role, "content": sentinel(i)} for i, role in enumerate(roles)]
    try:
        text = finder.template.render(chat)
        spans = {span.turn: span for span in finder.spans(chat, None, text)}
    except TemplateRefusedError:
        return Structure(roles, ())
    starts = _positions(text, len(roles))
    if starts is None or len(spans) != roles.count("assistant"):
        return Structure(roles, ())
    edges = _edges(finder.template, roles, text)
    pieces: list[Piece] = []
    done = 0
    for i, start in enumerate(starts):
        end = start + len(sentinel(i))
        last = i + 1 == len(roles)
        limit = len(text) if last else starts[i + 1]
        span = spans.get(i) or AssistantSpan(i, start, _closing(finder, chat, i, text, end, limit), False)
        if not done <= span.start <= start < end <= span.end <= limit:
            return Structure(roles, ())
        stop = limit if last else span.end
        before, after = text[done:start], text[end:stop]
        pieces.append(Piece(before, after, span.start - done, stop - span.end, edges[i], span.rewritten))
        done = stop
    return Structure(roles, tuple(pieces))


def _closing(finder: SpanFinder, chat: list[Message], turn: int, text: str, end: int, limit: int) -> int:
    """Returns where a message that is no assistant's ends: after what the template writes even if none follows."""
    reach = finder.reach(chat, turn, text)
    return reach if end <= reach <= limit else end


def _positions(text: str, count: int) -> list[int] | None:
    """Returns where each sentinel stands, or None unless each stands there once and in order."""
    found = [text.find(sentinel(i)) for i in range(count)]
    once = all(text.count(sentinel(i)) == 1 for i in range(count))
    return found if once and found == sorted(found) else None


def _edges(template: ChatTemplate, roles: tuple[str, ...], text: str) -> list[Edges]:
    """Returns for each message whether whitespace at the edges of its content is kept, stripped or something else."""
    modes: list[set[Edges]] = [set() for _ in roles]
    for pad in EDGE_PROBES:
        chat: list[Message] = [{"role": role, "content": f"{pad}{sentinel(i)}{pad}"} for i, role in enumerate(roles)]
        try:
            padded = template.render(chat)
        except TemplateRefusedError:
            return ["other"] * len(roles)
        expected = text
        for i, seen in enumerate(modes):
            kept = f"{pad}{sentinel(i)}{pad}"
            mode: Edges = "keep" if kept in padded else "strip"
            seen.add(mode)
            expected = expected.replace(sentinel(i), kept) if mode == "keep" else expected
        if expected != padded:
            return ["other"] * len(roles)
    return [seen.pop() if len(seen) == 1 else "other" for seen in modes]


MARKUP = frozenset("<>[]{}|/")
TRIALS = ("{w}{s}", "{s}{w}", "{s}{w}{s}", "{w}{s}{w}", "{s} {w} {s}")
SPACE_TRIALS = ("{s}{w}{s}", "{s}{w}x{w}{s}")


def harmful_constants(template: ChatTemplate) -> tuple[str, ...]:
    """Returns the constants that, inside a content, may change how the template renders it.

    Markup always counts; plain words, quotes and whitespace count only if a trial shows it.
    """
    return tuple(text for text in template.constants if MARKUP & set(text) or _changes(template, text))


def _changes(template: ChatTemplate, word: str) -> bool:
    """Says whether the word inside contents shows in the rendering as anything but itself."""
    shapes = SPACE_TRIALS if word.isspace() else TRIALS
    for roles in (("user", "assistant", "user", "assistant"), ("system", "user", "assistant")):
        try:
            text = _render(template, roles, [sentinel(i) for i in range(len(roles))])
        except TemplateRefusedError:
            continue
        for shape in shapes:
            contents = [shape.format(w=word, s=sentinel(i)) for i in range(len(roles))]
            expected = text
            for i, content in enumerate(contents):
                expected = expected.replace(sentinel(i), content)
            try:
                if _render(template, roles, contents) != expected:
                    return True
            except TemplateRefusedError:
                return True
    return False


def _render(template: ChatTemplate, roles: tuple[str, ...], contents: list[str]) -> str:
    return template.render([{"role": r, "content": c} for r, c in zip(roles, contents, strict=True)])
