"""What each character of the basic plane folds to, and its kind: a packaged table, so that all Pythons fold alike.

`python -m curate.stages.dedup.fold_table` writes it anew, by the Unicode data of this Python and polars.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

Array = np.ndarray[Any, Any]

WIDE_PUNCTUATION = "，。！？；：、…“”「」『』《》〈〉【】·—"
MARKS = ".,!?;:\"'"
WORD, HAN, BLANK, MARK, HARD = 0, 1, 2, 3, 4
PLANE = 0x10000
FILE = Path(__file__).with_name("fold_table.npz")


@cache
def table() -> tuple[Array, Array]:
    """Returns for each character of the basic plane what it becomes (int32) and its kind (uint8).

    Hard characters are those that fold to several, compose with a neighbour or depend on one.
    """
    with np.load(FILE, allow_pickle=False) as found:
        return found["becomes"], found["kinds"]


def computed() -> tuple[Array, Array]:
    """Returns the table as this Python's and polars' Unicode data have it."""
    codes = [code for code in range(PLANE) if not 0xD800 <= code < 0xE000]
    plain = pl.Series([chr(code) for code in codes])
    plain = plain.str.replace_all(f"[{WIDE_PUNCTUATION}]", " ").str.replace_all("[‘’]", "'")
    folded = plain.str.normalize("NFKC").str.to_lowercase()
    becomes, kinds = np.arange(PLANE, dtype=np.int32), np.full(PLANE, HARD, np.uint8)
    single = (folded.str.len_chars() == 1).to_numpy()
    at = np.array(codes)[single]
    becomes[at] = [ord(character) for character in folded.filter(pl.Series(single))]
    shown = folded.filter(pl.Series(single))
    kinds[at] = WORD
    kinds[at[shown.str.contains(r"\p{Han}").to_numpy()]] = HAN
    kinds[at[shown.str.contains(r"\s").to_numpy()]] = BLANK
    kinds[at[shown.is_in(list(MARKS)).to_numpy()]] = MARK
    kinds[[code for code in codes if unicodedata.category(chr(code)).startswith("M") or 0x1100 <= code < 0x1200]] = HARD
    kinds[[0x03A3, 0x03C2]] = HARD
    return becomes, kinds


if __name__ == "__main__":
    becomes, kinds = computed()
    np.savez_compressed(FILE, becomes=becomes, kinds=kinds)
