"""The compiled loop of folding: one pass over UTF-8 bytes with a table of what each character becomes."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from curate.compiled import njit
from curate.utf8 import code_point, put_code_point

Array = np.ndarray[Any, Any]

WIDE_PUNCTUATION = "，。！？；：、…“”「」『』《》〈〉【】·—"
MARKS = ".,!?;:\"'"
_WORD, _HAN, BLANK, _MARK, _HARD = 0, 1, 2, 3, 4
_PLANE = 0x10000


@cache
def table() -> tuple[Array, Array]:
    """Returns for each character of the basic plane what it becomes (int32) and its kind (uint8).

    Hard characters are those that fold to several, compose with a neighbour or depend on one.
    """
    codes = [code for code in range(_PLANE) if not 0xD800 <= code < 0xE000]
    plain = pl.Series([chr(code) for code in codes])
    plain = plain.str.replace_all(f"[{WIDE_PUNCTUATION}]", " ").str.replace_all("[‘’]", "'")
    folded = plain.str.normalize("NFKC").str.to_lowercase()
    becomes, kinds = np.arange(_PLANE, dtype=np.int32), np.full(_PLANE, _HARD, np.uint8)
    single = (folded.str.len_chars() == 1).to_numpy()
    at = np.array(codes)[single]
    becomes[at] = [ord(character) for character in folded.filter(pl.Series(single))]
    shown = folded.filter(pl.Series(single))
    kinds[at] = _WORD
    kinds[at[shown.str.contains(r"\p{Han}").to_numpy()]] = _HAN
    kinds[at[shown.str.contains(r"\s").to_numpy()]] = BLANK
    kinds[at[shown.is_in(list(MARKS)).to_numpy()]] = _MARK
    kinds[[code for code in codes if unicodedata.category(chr(code)).startswith("M") or 0x1100 <= code < 0x1200]] = (
        _HARD
    )
    kinds[[0x03A3, 0x03C2]] = _HARD
    return becomes, kinds


@njit(cache=True, nogil=True)
def _kind(code: int, kinds: Array) -> Any:
    """Returns the kind of a character; beyond the basic plane emoji are words and the rest is hard."""
    if code < _PLANE:
        return kinds[np.uintp(code)]
    return np.uint8(_WORD) if 0x1F300 <= code < 0x1FB00 else np.uint8(_HARD)


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
        code = becomes[np.uintp(code)] if code < _PLANE else code
        if kind == _HARD or marks == run.size:
            return -1
        if kind == _MARK:
            run_gap = run_gap if marks else gap or last == BLANK
            run[marks] = code
            marks += 1
            continue
        if kind == _WORD:
            marks = 0 if last == _HAN else marks
            if last == _WORD and (gap or (marks > 0 and run_gap)):
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
