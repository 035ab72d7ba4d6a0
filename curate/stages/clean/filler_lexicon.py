"""The lexicon of filled pauses: the built-in terms and a user's own, as patterns of polars."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from curate.errors import StageError

OPENING = ("嗯", "呃", "唔")
"""Go whenever they open a clause."""
SET_OFF = ("啊", "哦", "噢", "额", "額", "诶", "誒", "欸", "哎", "唉")
"""Go only when they are a clause by themselves."""
HESITATION = ("那个", "那個", "这个", "這個", "就是说", "就是說")
"""Go only when they open a clause by themselves or repeated, and something follows that needs no such subject."""
PHRASES = ("you know", "i mean")
"""Go only when set off by punctuation."""

_RULES = ("set_off", "opening", "anywhere")
_LATIN = re.compile(r"[A-Za-z][A-Za-z' -]*")


@dataclass(frozen=True)
class Lexicon:
    """Terms by the rule they follow; ``anywhere`` holds Latin words beside the built-in um, uh, er, erm, hmm."""

    opening: tuple[str, ...] = OPENING
    set_off: tuple[str, ...] = SET_OFF
    phrases: tuple[str, ...] = PHRASES
    anywhere: tuple[str, ...] = ()

    @cached_property
    def hard(self) -> str:
        """Matches a token that is one filled pause, or fillers of any rule with one of these among them."""
        one, other = _any(self.opening), _any(self.opening + self.set_off + HESITATION)
        return f"^(?:{other})*(?:{one})(?:{other})*$"

    @cached_property
    def soft(self) -> str:
        """Matches a token that is one filler of the set-off rule."""
        return f"^(?:{_any(self.set_off)})$"

    @cached_property
    def run(self) -> str:
        """Matches a token of two or more set-off fillers."""
        return f"^(?:{_any(self.set_off)}){{2,}}$"

    @cached_property
    def phrase(self) -> str:
        """Matches the Latin phrases of the set-off rule, in any case."""
        return f"(?i:{_any(self.phrases)})"

    @cached_property
    def word(self) -> str:
        """Matches an English filled pause; capitals as ordinary words have them, so ER and HMM are not meant."""
        own = "".join(f"|{own}" for own in self._own_words)
        return f"^(?:[Uu]m+|[Uu]h+|[Ee]r|[Ee]r{{3,}}|[Ee]rm+|[Hh]m+|[Mm]m+{own})$"

    @cached_property
    def suspect(self) -> str:
        """Matches every token that can be a filler or hold one, and some more."""
        return f"{_any(self.opening + self.set_off)}|^(?:{_any(HESITATION)})|^(?i:like)$|^{self.phrase}$|{self.word}"

    @cached_property
    def candidates(self) -> tuple[str, str]:
        """Two patterns, Chinese and Latin; a text that neither matches has nothing that could go.

        Two, as the regex engine is many times faster on each than on both in one; word ends are ASCII for that too.
        """
        zh, hesitation = _any(self.opening + self.set_off), _any(HESITATION)
        edge = r"[\s，。！？；：、…—～,.!?;:~-]"
        chinese = (
            f"{_any(self.opening)}|(?:^|{edge})(?:{zh})+(?:{edge}|$)|(?:{_any(OPENING + SET_OFF)}){{2}}"
            f"|(?:^|{edge})(?:{hesitation})(?:{edge}|{hesitation})"
        )
        words = "".join(f"|{own}" for own in self._own_words)
        phrases = "|".join(_any_case(phrase) for phrase in ("like", *self.phrases))
        latin = f"(?-u:\\b)(?:(?:[Uu][mh]+|[Ee]r+m*|[Hh]m+|[Mm]m+{words})(?-u:\\b)|(?:{phrases})(?:[^\\w ]|$| -))"
        return chinese, latin

    @property
    def _own_words(self) -> list[str]:
        return [f"[{w[0].upper()}{w[0].lower()}]{re.escape(w[1:])}" for w in self.anywhere]


def _any_case(phrase: str) -> str:
    return "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else re.escape(c) for c in phrase)


def _any(terms: tuple[str, ...]) -> str:
    return "|".join(re.escape(term).replace(r"\ ", " ") for term in terms)


def read_lexicon(path: str | None) -> Lexicon:
    """Returns the built-in lexicon with the terms of a file added.

    A line is a term, or a term, a tab and its rule: ``set_off`` (the default), ``opening`` (Chinese) or ``anywhere``
    (a Latin word). Empty lines and lines that start with ``#`` are left out.

    Raises:
        StageError: when the file can't be read or a line names an unknown or unfitting rule.
    """
    if path is None:
        return Lexicon()
    added: dict[str, list[str]] = {"opening": [], "set_off": [], "phrases": [], "anywhere": []}
    for number, line in enumerate(_read(path).splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            term, rule = _entry(line, f"{path}:{number}")
            added[rule].append(term)
    own = {rule: tuple(dict.fromkeys(terms)) for rule, terms in added.items()}
    return Lexicon(OPENING + own["opening"], SET_OFF + own["set_off"], PHRASES + own["phrases"], own["anywhere"])


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"strip_fillers: the lexicon {path} can't be read as UTF-8 text: {error}") from error


def _entry(line: str, where: str) -> tuple[str, str]:
    term, _, rule = (part.strip() for part in line.partition("\t"))
    rule = rule or "set_off"
    if rule not in _RULES:
        raise StageError(f"strip_fillers: {where}: unknown rule {rule!r}; rules: {', '.join(_RULES)}")
    latin = _LATIN.fullmatch(term) is not None
    if not latin and re.search(r"[\s，。！？；：、…—～,.!?;:~]", term):
        raise StageError(f"strip_fillers: {where}: term {term!r} holds a space or punctuation; give the bare word")
    if (latin and rule == "opening") or (not latin and rule == "anywhere"):
        raise StageError(f"strip_fillers: {where}: rule {rule!r} does not fit {term!r}; use set_off")
    if latin and rule == "anywhere" and " " in term:
        raise StageError(f"strip_fillers: {where}: {term!r} is a phrase; phrases only go when set off")
    return term, "phrases" if latin and rule == "set_off" else rule
