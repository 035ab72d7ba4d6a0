"""Masks: what is hidden from an edit comes back unchanged, or the edit is refused."""

from __future__ import annotations

from itertools import chain, combinations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.stage.masking import SENTINEL, Mask, mask, unmask

PIECES = ["`", "```", "\n", "“", "”", "「", "」", "『", "』", "‘", "’", '"', SENTINEL, "code", "嗯", " ", "x" * 3, "é"]
TEXT = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join)
KINDS: tuple[Mask, ...] = ("code", "quotes")
MASKS = st.sampled_from(list(chain.from_iterable(combinations(KINDS, n) for n in range(3))))


def turns(*texts: str | None) -> pl.DataFrame:
    """Returns turns of these texts."""
    return pl.DataFrame({"row": range(len(texts)), "text": texts}, schema={"row": pl.UInt32, "text": pl.String})


@given(st.lists(TEXT, max_size=5), MASKS)
def test_what_is_masked_comes_back(texts: list[str], masks: tuple[Mask, ...]) -> None:
    """Unmasking what was masked gives the same turns, for any text, also one that holds the sentinel itself."""
    given_turns = turns(*texts)
    hidden = mask(given_turns, masks)
    assert unmask(hidden).equals(given_turns)


@given(TEXT)
def test_an_edit_around_spans_keeps_them(text: str) -> None:
    """An edit of what is seen changes nothing that is hidden."""
    hidden = mask(turns(text), KINDS)
    edited = unmask(hidden.with_columns(text=pl.lit("<") + pl.col("text") + pl.lit(">")))["text"][0]
    assert edited == f"<{text}>"


def test_code_and_quotes_are_not_seen() -> None:
    """Fenced and inline code, an open fence to its end, and quoted speech of five kinds are hidden."""
    said = '嗯 “嗯” 「嗯」 『嗯』 ‘嗯嗯’ "um" `um`\n```py\num\n``` 嗯\n```\num'
    hidden = mask(turns(said), KINDS)
    assert hidden["text"][0] == f"嗯 {' '.join([SENTINEL] * 6)}\n{SENTINEL} 嗯\n{SENTINEL}"
    assert mask(turns("it's a dog's life ‘x’"), KINDS)["spans"][0] is None, "an apostrophe opens no quotation"


@pytest.mark.parametrize("edit", ["", SENTINEL * 2, f"{SENTINEL}a{SENTINEL}"])
def test_an_edit_that_loses_or_adds_a_span_is_refused(edit: str) -> None:
    """A lost, doubled or added span raises ValueError: content would be lost or made up."""
    hidden = mask(turns("plain", "say `x` now"), KINDS)
    damaged = hidden.with_columns(text=hidden["text"].scatter(1, edit))
    with pytest.raises(ValueError, match="an edit lost or added a protected span"):
        unmask(damaged)
