"""Small labelled sets for the quality of near-deduplication: pairs of known similarity, chains, clusters, templates, copies.

Every similarity is measured on the finished texts by `dedup_shingles.py`. Words come from `dedup_words.py`, so two rows
share shingles only where one was made from the other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from dedup_shingles import jaccard, shingles
from dedup_words import Lexicon, chinese, english

LANGUAGES = ("zh", "en", "mixed")
NEAR_LEVELS = (0.70, 0.72, 0.75, 0.80, 0.85, 0.90, 0.95, 0.99)
HARD_LEVELS = (0.30, 0.40, 0.50, 0.60, 0.65, 0.69)
EDITS = ("substitute", "insert", "tail", "cut")
LONG = 400
"""Words of a row that is to differ by a hundredth only; others have 60 to 160."""
Words = list[list[str]]
"""The words of each turn, what follows a word included."""


@dataclass(frozen=True)
class Pair:
    """Two rows of a set, planted at a similarity of ``level`` and measured at ``jaccard``."""

    a: int
    b: int
    kind: str
    language: str
    level: float
    jaccard: float


@dataclass
class Sets:
    """Rows as lists of turns, and the pairs between them."""

    rows: list[list[str]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)

    def add(self, kind: str, turns: list[str]) -> int:
        """Adds a row and returns its number."""
        self.rows.append(turns)
        self.kinds.append(kind)
        return len(self.rows) - 1

    def relate(self, kind: str, language: str, level: float, members: list[int]) -> None:
        """Measures and notes every pair among the rows."""
        sets = {row: shingles(self.rows[row]) for row in members}
        for a, b in combinations(members, 2):
            self.pairs.append(Pair(a, b, kind, language, level, jaccard(sets[a], sets[b])))


class Writer:
    """Makes words of a language and edits of a text."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.lexicons: dict[str, Lexicon] = {"zh": chinese(), "en": english()}

    def word(self, language: str) -> str:
        """Returns a word with what follows it."""
        if language == "mixed":
            language = self.rng.choice(("zh", "en"))
        lexicon = self.lexicons[language]
        gaps = ("", "", "", "，", "。") if language == "zh" else (" ", " ", " ", ", ", ". ")
        return lexicon.words[lexicon.slots[self.rng.randrange(len(lexicon.slots))]] + self.rng.choice(gaps)

    def text(self, language: str, words: int) -> Words:
        """Returns a row of two or four turns."""
        turns = self.rng.choice((2, 2, 4))
        return [[self.word(language) for _ in range(max(3, words // turns))] for _ in range(turns)]

    def edits(self, base: Words, language: str, edit: str, most: int) -> Iterator[Words]:
        """Yields the text after 0, 1, 2 … edits of one kind, each text holding the edits before."""
        places = [(t, i) for t, turn in enumerate(base) for i in range(len(turn))]
        if edit in ("tail", "cut"):
            places.reverse()
        else:
            self.rng.shuffle(places)
        text = [[[word] for word in turn] for turn in base]
        yield _flat(text)
        for t, i in places[:most]:
            if edit == "cut":
                text[t][i] = []
            elif edit == "insert":
                text[t][i] = [*text[t][i], self.word(language)]
            else:
                text[t][i] = [self.word(language)]
            yield _flat(text)


def _flat(text: list[list[list[str]]]) -> Words:
    return [[word for place in turn for word in place] for turn in text]


def turns_of(text: Words) -> list[str]:
    """Returns the turns as strings; an emptied turn keeps one mark, because a chat has no empty turn."""
    return ["".join(turn).strip() or "。" for turn in text]


def at_level(writer: Writer, base: Words, language: str, edit: str, level: float) -> list[str]:
    """Returns the edited text whose similarity to the base is nearest to a level, by bisection."""
    whole = shingles(turns_of(base))
    versions = list(writer.edits(base, language, edit, sum(map(len, base)) - 2))
    low, high = 0, len(versions) - 1
    while low < high:
        middle = (low + high + 1) // 2
        found = jaccard(whole, shingles(turns_of(versions[middle])))
        low, high = (middle, high) if found >= level else (low, middle - 1)
    return turns_of(max(versions[low : low + 2], key=lambda v: -abs(jaccard(whole, shingles(turns_of(v))) - level)))


def text_sets(scale: float, seed: int = 5) -> Sets:
    """Returns near pairs, hard negatives, chains, clusters and exact copies, in shuffled places; scale 1: 13,000 rows."""
    writer, sets = Writer(seed), Sets()
    for language in LANGUAGES:
        for levels, kind, count in ((NEAR_LEVELS, "near", 40), (HARD_LEVELS, "hard", 20)):
            for level in levels:
                for edit in EDITS:
                    for _ in range(_number(count, scale)):
                        _pair(sets, writer, language, edit, level, kind)
        for _ in range(_number(100, scale)):
            _chain(sets, writer, language)
            base = turns_of(writer.text(language, writer.rng.randint(4, 120)))
            copies = [sets.add("exact", base) for _ in range(writer.rng.randint(2, 6))]
            sets.relate("exact", language, 1.0, copies)
        for _ in range(_number(30, scale)):
            _cluster(sets, writer, language)
    return _shuffled(sets, writer.rng)


def _number(count: int, scale: float) -> int:
    return max(1, round(count * scale))


def _pair(sets: Sets, writer: Writer, language: str, edit: str, level: float, kind: str) -> None:
    base = writer.text(language, LONG if level > 0.96 else writer.rng.randint(60, 160))
    edited = at_level(writer, base, language, edit, level)
    members = [sets.add(kind, turns_of(base)), sets.add(kind, edited)]
    sets.relate(kind, language, level, members)


def _chain(sets: Sets, writer: Writer, language: str, step: float = 0.8) -> None:
    """Adds a ~ b ~ c …, each like the one before and unlike the one before that."""
    text = writer.text(language, 150)
    members = [sets.add("chain", turns_of(text))]
    for _ in range(writer.rng.randint(2, 5)):
        before = shingles(turns_of(text))
        for version in writer.edits(text, language, "substitute", 150):
            if jaccard(before, shingles(turns_of(version))) < step:
                break
            text_next = version
        text = text_next
        members.append(sets.add("chain", turns_of(text)))
    sets.relate("chain", language, step, members)


def _cluster(sets: Sets, writer: Writer, language: str, level: float = 0.9) -> None:
    """Adds a text and 2 to 20 versions of it, each with edits of its own."""
    base = writer.text(language, 150)
    members = [sets.add("cluster", turns_of(base))]
    for _ in range(writer.rng.randint(2, 20)):
        members.append(sets.add("cluster", at_level(writer, base, language, writer.rng.choice(EDITS), level)))
    sets.relate("cluster", language, level, members)


def _shuffled(sets: Sets, rng: random.Random) -> Sets:
    order = list(range(len(sets.rows)))
    rng.shuffle(order)
    place = {row: i for i, row in enumerate(order)}
    pairs = [Pair(place[p.a], place[p.b], p.kind, p.language, p.level, p.jaccard) for p in sets.pairs]
    return Sets([sets.rows[row] for row in order], [sets.kinds[row] for row in order], pairs)


def chat(turns: list[str]) -> list[dict[str, Any]]:
    """Returns turns as messages, user first."""
    return [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(turns)]
