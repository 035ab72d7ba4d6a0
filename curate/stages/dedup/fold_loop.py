"""The compiled loop of folding: one pass over UTF-8 bytes with a table of what each character becomes."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit
from curate.stages.dedup.fold_table import BLANK, HAN, HARD, MARK, PLANE, WORD
from curate.utf8 import code_point, put_code_point

Array = np.ndarray[Any, Any]


@njit(cache=True, nogil=True)
def _kind(code: int, kinds: Array) -> Any:
    """Returns the kind of a character; beyond the basic plane emoji are words and the rest is hard."""
    if code < PLANE:
        return kinds[np.uintp(code)]
    return np.uint8(WORD) if 0x1F300 <= code < 0x1FB00 else np.uint8(HARD)


@njit(cache=True, nogil=True)
def _put_run(out: Array, to: Any, run: Array, marks: int, quotes_go: bool) -> Any:
    """Writes the marks before a word, without the quotes they begin with if those go."""
    first = 0
    while quotes_go and first < marks and (run[first] == 34 or run[first] == 39):
        first += 1
    for i in range(first, marks):
        to = put_code_point(out, to, run[i])
    return to


@njit(cache=True, nogil=True)
def _fold_one(data: Array, at: int, end: int, becomes: Array, kinds: Array, out: Array, to: int, run: Array) -> int:
    """Writes one folded text and returns its end in ``out``, or -1 where a hard character or no word was met.

    A run of marks is held back until what follows is known: it goes before a space, a Han character or the end.
    """
    here, stop, put = np.uintp(at), np.uintp(end), np.uintp(to)
    marks, last, gap, run_gap = 0, BLANK, False, False
    while here < stop:
        code, size = code_point(data, here)
        here += np.uintp(size)
        kind = _kind(code, kinds)
        code = becomes[np.uintp(code)] if code < PLANE else code
        if kind == HARD or marks == run.size:
            return -1
        if kind == MARK:
            run_gap = run_gap if marks else gap or last == BLANK
            run[marks] = code
            marks += 1
            continue
        if kind == WORD:
            marks = 0 if last == HAN else marks
            if last == WORD and (gap or (marks > 0 and run_gap)):
                put = put_code_point(out, put, 32)
            if marks:
                put = _put_run(out, put, run, marks, run_gap)
        if kind != BLANK:
            put = put_code_point(out, put, code)
            last = kind
        gap, marks = kind == BLANK, 0
    return int(np.int64(put)) if put > np.uintp(to) else -1


@njit(cache=True, nogil=True)
def fold_all(data: Array, offsets: Array, becomes: Array, kinds: Array) -> tuple[Array, Array, Array]:
    """Returns the folded texts as UTF-8 bytes and offsets, and which texts (left empty) need the slow way.

    ``data`` (uint8) holds the texts and ``offsets`` (int64, n + 1) where each begins; no character grows.
    """
    n = offsets.size - 1
    out, ends, hard = np.empty(2 * data.size + 4, np.uint8), np.zeros(n + 1, np.int64), np.zeros(n, np.bool_)
    run = np.empty(64, np.int64)
    for i in range(n):
        to = _fold_one(data, offsets[i], offsets[i + 1], becomes, kinds, out, ends[i], run)
        hard[i] = to < 0
        ends[i + 1] = ends[i] if to < 0 else to
    return out[: ends[n]], ends, hard
