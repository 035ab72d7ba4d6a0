"""A seeded vocabulary for generated text: Chinese words of common characters, English-like words, both Zipfian.

Real word lists are short, and rows drawn from a short list share most of their shingles; these do not.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

ONSETS = [
    "b",
    "c",
    "d",
    "f",
    "g",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "w",
    "br",
    "ch",
    "cl",
    "cr",
    "dr",
    "fl",
    "gr",
    "pl",
    "pr",
    "sh",
    "sk",
    "sl",
    "sp",
    "st",
    "str",
    "th",
    "tr",
]
VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "oa", "oo", "ou"]
CODAS = ["", "", "", "n", "r", "s", "t", "l", "m", "nd", "st", "ng", "ck", "rk"]
SLOTS = 1 << 16
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Lexicon:
    """Words of one language, and 65,536 slots that hold their numbers as often as the words are frequent."""

    words: tuple[str, ...]
    slots: Array
    """uint16: a word's number, for a slot drawn evenly."""


def chinese(seed: int = 1, size: int = 12_000) -> Lexicon:
    """Returns words of one to three of the 3,755 characters of GB 2312's first level."""
    rng = random.Random(seed)
    codes = [bytes((high, low)) for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)]
    characters = [code.decode("gb2312") for code in codes if not (code[0] == 0xD7 and code[1] > 0xF9)]
    rng.shuffle(characters)
    common = 1.0 / (np.arange(len(characters)) + 200.0)
    pool = rng.choices(characters, weights=list(common), k=4 * size)
    at, words = 0, {}
    while len(words) < size:
        length = 1 if len(words) < 60 else rng.choice((2, 2, 2, 3))
        if at + length > len(pool):
            pool, at = rng.choices(characters, weights=list(common), k=4 * size), 0
        words["".join(pool[at : at + length])] = None
        at += length
    return Lexicon(tuple(words), _zipf(size))


def english(seed: int = 2, size: int = 16_000) -> Lexicon:
    """Returns lower-case words of one to four syllables, the frequent ones short."""
    rng = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < size:
        syllables = 1 if len(words) < 150 else rng.choice((1, 2, 2, 3, 3, 4))
        word = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(syllables))
        words[word] = None
    return Lexicon(tuple(words), _zipf(size))


def _zipf(size: int) -> Array:
    """Returns the slots of ``size`` words whose frequency falls with their rank, none left out."""
    weights = 1.0 / (np.arange(size) + 30.0)
    counts = 1 + np.floor(weights / weights.sum() * (SLOTS - size)).astype(np.int64)
    counts[: SLOTS - counts.sum()] += 1
    return np.repeat(np.arange(size, dtype=np.uint16), counts)
