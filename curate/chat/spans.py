"""Where the assistant's own words stand in a rendered conversation, exactly, by rendering its prefixes.

What the generation prompt already supplies is not the assistant's; from there to the end of the rendering of the
conversation up to its turn is: reasoning, content, tool calls and the end-of-turn token. A template that marks the
assistant's text itself (``{% generation %}``) is believed instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

from curate.chat.forms import Message
from curate.chat.template import ChatTemplate, TemplateRefusedError

Tools = list[dict[str, Any]] | None
ATOM_REACH = 80
"""Characters around a cut that are searched for a token the cut would halve."""


class AssistantSpan(NamedTuple):
    """What one assistant turn wrote: characters [start, end) of the rendering.

    ``rewritten``: the template shows this turn otherwise once the conversation has gone on.
    """

    turn: int
    start: int
    end: int
    rewritten: bool


class SpanFinder:
    """Finds assistant spans of one template; ``added_tokens`` are the strings no span may cut in two."""

    def __init__(self, template: ChatTemplate, added_tokens: tuple[str, ...]) -> None:
        self.template = template
        self._atoms = _atom_pattern(added_tokens)
        self.prompt, self._sign, self.closer, self.suffix = self._habits()

    def spans(
        self, messages: list[Message], tools: Tools, text: str, wanted: Collection[int] | None = None
    ) -> list[AssistantSpan]:
        """Returns the spans of the wanted (or all) assistant turns in ``text``, the rendering of the messages.

        Raises TemplateRefusedError where the template refuses a prefix that the span of a turn needs.
        """
        turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        if self.template.has_generation_tags:
            return self._marked_spans(messages, tools, text, turns)
        found: list[AssistantSpan] = []
        for turn in turns:
            if wanted is None or turn in wanted:
                start = self._start(messages, turn, tools, text)
                end, rewritten = self._end(messages, turn, tools, text)
                found.append(AssistantSpan(turn, min(start, end), end, rewritten or end < start))
        return found

    def reach(self, messages: list[Message], turn: int, text: str) -> int:
        """Returns how far into the text the rendering up to and with this turn reaches; 0 if it is refused."""
        try:
            alone = self.template.render(messages[: turn + 1])
        except TemplateRefusedError:
            return 0
        return self.common(alone.removesuffix(self.suffix), text)

    def common(self, a: str, b: str) -> int:
        """Returns the length of the longest common prefix that halves no token of either."""
        cut = _common_length(a, b)
        if cut in (len(a), len(b)):
            return cut
        for side in (a, b):
            low = max(0, cut - ATOM_REACH)
            for atom in self._atoms.finditer(side, low, min(len(side), cut + ATOM_REACH)):
                if atom.start() < cut < atom.end():
                    return atom.start()
        return cut

    def atoms(self, text: str) -> list[str]:
        """Returns the tokens and tags in a text that no span may cut in two."""
        return [atom.group() for atom in self._atoms.finditer(text)]

    def _start(self, messages: list[Message], turn: int, tools: Tools, text: str) -> int:
        """Returns where the rendering goes beyond the generation prompt after the messages before the turn."""
        before = messages[:turn]
        try:
            prompted = self.template.render(before, tools, add_generation_prompt=True) if before else ""
        except TemplateRefusedError:
            prompted = ""
        if not prompted:
            return self._after_prompt(text, self._previous_end(messages, turn, tools, text))
        start = self.common(prompted, text)
        if start < len(prompted) - len(self.prompt):  # what came before is shown otherwise by now
            start = max(start, self._previous_end(messages, turn, tools, text))
        headed = self.prompt and text.startswith(self.prompt, start)
        if headed and prompted == self.template.render(before, tools):  # no prompt here, yet the turn has its header
            start += len(self.prompt)
        return start

    def _previous_end(self, messages: list[Message], turn: int, tools: Tools, text: str) -> int:
        """Returns the end of the assistant turn before this one, or 0."""
        earlier = [i for i in range(turn) if messages[i]["role"] == "assistant"]
        return self._end(messages, earlier[-1], tools, text)[0] if earlier else 0

    def _after_prompt(self, text: str, floor: int) -> int:
        """Returns the end of the first generation prompt in the text: for a turn whose prompt can't be rendered."""
        at = text.find(self._sign, floor) if self._sign else -1
        if at < 0:
            raise TemplateRefusedError("can't tell where an assistant turn with nothing before it starts")
        return at + self.common(self.prompt, text[at : at + len(self.prompt) + 1])

    def _sign_of(self, prompt: str, asked: str) -> str:
        """Returns the shortest beginning of the prompt, in whole tokens, that a user turn does not hold."""
        ends = [atom.start() for atom in self._atoms.finditer(prompt) if atom.start()]
        return next((prompt[:end] for end in [*ends, len(prompt)] if prompt[:end] not in asked), "")

    def _end(self, messages: list[Message], turn: int, tools: Tools, text: str) -> tuple[int, bool]:
        """Returns where the turn ends in the text and whether the text shows it otherwise than when it was last."""
        if turn == len(messages) - 1:
            return len(text), False
        try:
            alone = self.template.render(messages[: turn + 1], tools)
        except TemplateRefusedError:
            return self._closed(messages[: turn + 1], tools, text), False
        if self.suffix:
            alone = alone.removesuffix(self.suffix)
        end = self.common(alone, text)
        rest = alone[end:]
        same = not rest or (messages[turn + 1]["role"] == "tool" and rest == self.closer)
        return (end + self._borrowed(text, end) if same else end), not same

    def _closed(self, upto: list[Message], tools: Tools, text: str) -> int:
        """Returns the end of a turn with which no conversation may end: by its closing before one more user turn."""
        user: Message = {"role": "user", "content": "\ue0100\ue011"}
        shared = self.common(self.template.render([*upto, user], tools), text)
        at = text.rfind(self.closer, 0, shared) if self.closer else -1
        if at < 0:
            raise TemplateRefusedError("can't tell where an assistant turn with no user turn before it ends")
        return at + len(self.closer or "")

    def _borrowed(self, text: str, end: int) -> int:
        """Returns the length of the next turn's first token where it is all that ends a turn (GLM-4)."""
        atom = self._atoms.match(text, end) if self.closer == "" else None
        return atom.end() - end if atom else 0

    def _marked_spans(self, messages: list[Message], tools: Tools, text: str, turns: list[int]) -> list[AssistantSpan]:
        marked = self.template.render_marked(messages, tools)[1]
        floors = [self._floor(messages[:i], tools, text) for i in turns]
        found: list[AssistantSpan] = []
        for start, end in marked:
            owner = max((k for k, floor in enumerate(floors) if floor <= start), default=0)
            turn = turns[owner] if turns else 0
            rewritten = turn < len(messages) - 1 and self._end(messages, turn, tools, text)[1]
            found.append(AssistantSpan(turn, start, end, rewritten))
        return found

    def _floor(self, before: list[Message], tools: Tools, text: str) -> int:
        try:
            return self.common(self.template.render(before, tools), text) if before else 0
        except TemplateRefusedError:
            return 0

    def _habits(self) -> tuple[str, str, str | None, str]:
        """Finds the generation prompt, what follows a last assistant content, and what only the very end adds."""
        user: Message = {"role": "user", "content": "\ue0101\ue011"}
        answer: Message = {"role": "assistant", "content": "\ue0102\ue011"}
        again: Message = {"role": "user", "content": "\ue0103\ue011"}
        try:
            asked = self.template.render([user])
            prompted = self.template.render([user], add_generation_prompt=True)
            ended = self.template.render([user, answer])
            went_on = self.template.render([user, answer, again])
        except TemplateRefusedError:
            return "", "", None, ""
        prompt = prompted[self.common(asked, prompted) :]
        closer = ended.partition(answer["content"])[2]
        joint = went_on.partition(answer["content"])[2]
        shared = self.common(closer, joint)
        suffix = closer[shared:] if 0 < shared < len(closer) else ""
        return prompt, self._sign_of(prompt, asked), closer, suffix


@lru_cache(maxsize=32)
def _atom_pattern(added_tokens: tuple[str, ...]) -> re.Pattern[str]:
    words = sorted((token for token in added_tokens if not token.isspace()), key=lambda t: (-len(t), t))
    return re.compile("|".join([*map(re.escape, words), r"<[^<>\s]{1,48}>", r"\[/?[A-Z_]{2,24}\]"]))


def _common_length(a: str, b: str) -> int:
    """Returns the number of leading characters two strings share, by bisection."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
