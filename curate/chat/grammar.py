"""Long role sequences from short ones: the pieces of a message mostly depend on its neighbours' roles alone.

Every sequence of up to four turns is taken apart by probes. A message whose pieces were the same wherever it had the
same neighbours is a rule; a longer sequence made of rules is put together from them, and one rendering of sentinels
proves the text. Where a template looks farther than its neighbours, there is no rule, and probes decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from curate.chat.spans import SpanFinder
from curate.chat.structure import Piece, Structure, find_structure, sentinel
from curate.chat.template import TemplateRefusedError

Place = tuple[str, str, str]
"""The roles before, at and after a message; empty at either end."""
LONGEST = 4


@dataclass(frozen=True, eq=False)
class Grammar:
    """The rules of one template: the piece of a message by its place."""

    finder: SpanFinder
    rules: dict[Place, Piece]

    def compose(self, roles: tuple[str, ...]) -> Structure | None:
        """Returns the structure of the roles, proven by one rendering; None where the rules don't give it."""
        pieces = [self.rules.get(place) for place in places(roles)]
        known = tuple(piece for piece in pieces if piece is not None)
        if len(known) < len(pieces):
            return None
        text = "".join(f"{piece.before}{sentinel(i)}{piece.after}" for i, piece in enumerate(known))
        try:
            shown = self.finder.template.render(
                [{"role": role, "content": sentinel(i)} for i, role in enumerate(roles)]
            )
        except TemplateRefusedError:
            return None
        return Structure(roles, known) if shown == text else None


def places(roles: tuple[str, ...]) -> list[Place]:
    """Returns the place of every message of a sequence."""
    return list(zip(("", *roles[:-1]), roles, (*roles[1:], ""), strict=True))


def learn_grammar(finder: SpanFinder) -> Grammar:
    """Returns the rules that hold in every sequence of up to four turns, with and without a system message."""
    turns = [seq for size in range(1, LONGEST + 1) for seq in product(("user", "assistant"), repeat=size)]
    sequences = [*turns, *(("system", *seq) for seq in turns if len(seq) < LONGEST)]
    seen: dict[Place, set[Piece]] = {}
    for roles in sequences:
        structure = find_structure(finder, roles)
        for place, piece in zip(places(roles), structure.pieces, strict=False):
            seen.setdefault(place, set()).add(piece)
    return Grammar(finder, {place: pieces.pop() for place, pieces in seen.items() if len(pieces) == 1})
