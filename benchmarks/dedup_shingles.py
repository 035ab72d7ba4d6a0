"""Shingle sets and Jaccard similarity in plain Python: the yardstick, sharing no code with what it measures.

A text is a sequence of runs: Chinese and Japanese characters give 3-grams, everything else 5-grams, both in one set; a
run shorter than that is one shingle. Shingles do not cross turns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS = re.compile(f"([{_CJK}]+)|([^{_CJK}]+)")


def shingles(turns: Iterable[str]) -> set[str]:
    """Returns the shingles of a row given as the contents of its turns."""
    found: set[str] = set()
    for turn in turns:
        for cjk, spaced in _RUNS.findall(turn):
            run, width = (cjk, 3) if cjk else (spaced, 5)
            found.update(run[i : i + width] for i in range(max(1, len(run) - width + 1)))
    return found


def jaccard(a: set[str], b: set[str]) -> float:
    """Returns |a and b| / |a or b|; 1 for two empty sets."""
    both = len(a & b)
    either = len(a) + len(b) - both
    return both / either if either else 1.0
