"""Shingle sets and Jaccard similarity in plain Python: the yardstick, sharing no code with what it measures.

It follows the description of `minhash_dedup`: characters by NFKC and lower case, Chinese punctuation as space, runs of
space as one; from every character a shingle of three characters where that one is Chinese, Japanese or Korean, of five
elsewhere; what no whole shingle reaches at the end of a turn is one shorter one. Shingles do not cross turns.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

_CJK = re.compile("[\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
_SPACES = re.compile("[\\s，。！？；：、…“”「」『』《》〈〉【】·—]+")


@cache
def _folded(character: str) -> str:
    same = unicodedata.normalize("NFKC", "'" if character in "‘’" else character).lower()
    return same if len(same) == 1 else character


@cache
def _width(character: str) -> int:
    return 3 if _CJK.match(character) else 5


def shingles(turns: Iterable[str]) -> set[str]:
    """Returns the shingles of a row given as the contents of its turns."""
    found: set[str] = set()
    for turn in turns:
        text = "".join(map(_folded, _SPACES.sub(" ", turn))).strip()
        ends = [i + _width(character) for i, character in enumerate(text)]
        found.update(text[i:end] for i, end in enumerate(ends) if end <= len(text))
        reached = max((end for end in ends if end <= len(text)), default=0)
        if reached < len(text):
            found.add(text[next(i for i, end in enumerate(ends) if end > len(text)) :])
    return found


def jaccard(a: set[str], b: set[str]) -> float:
    """Returns |a and b| / |a or b|; 1 for two empty sets."""
    both = len(a & b)
    either = len(a) + len(b) - both
    return both / either if either else 1.0
