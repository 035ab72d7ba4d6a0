"""normalize: mends broken characters and untidy whitespace, and leaves code and meaningful joiners alone."""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from curate.stage import TurnEdit
from curate.stage.masking import mask, unmask
from curate.stages.clean.characters import mend_characters
from curate.stages.clean.chinese import simplify
from curate.stages.clean.whitespace import tidy_whitespace

_ROUNDS = 8
"""One repair can lay bare another (a removed zero-width character joins two spaces); texts settle in two or three."""

_WIDE = "".join(chr(c) for c in range(0xFF01, 0xFF5F) if chr(c) not in "！，：；？（）～｀") + "　"
"""Full-width forms that are not ordinary Chinese punctuation; the back-tick would make code out of text."""
_NARROW = "".join(" " if c == "　" else chr(ord(c) - 0xFEE0) for c in _WIDE)


class Normalize(TurnEdit):
    """Repairs mojibake, Unicode form, invisible characters and whitespace, until nothing changes any more."""

    name: ClassVar[str] = "normalize"
    version: ClassVar[int] = 1
    reason: ClassVar[str] = "normalized"
    reasons: ClassVar[tuple[str, ...]] = ("normalized",)
    libraries: ClassVar[tuple[str, ...]] = ("ftfy", "opencc")

    fullwidth: Literal["keep", "half"] = Field(
        default="keep",
        description="half: full-width letters, digits, symbols and spaces become ASCII; "
        "Chinese punctuation ，！？：；（）～ stays",
    )
    to_simplified: bool = Field(
        default=False,
        description="convert traditional Chinese to simplified (OpenCC t2s) in turns without Japanese kana",
    )

    def edit_turns(self, turns: pl.DataFrame) -> pl.DataFrame:
        """Returns the turns with their text normalised; only the turns that changed are looked at again."""
        text = turns["text"]
        at = pl.int_range(len(text), dtype=pl.UInt32, eager=True)
        for _ in range(_ROUNDS):
            before = text.gather(at)
            after = self._once(before)
            moved = after.ne_missing(before)
            if not moved.any():
                break
            at = at.filter(moved)
            text = text.clone().scatter(at, after.filter(moved))
        return turns.with_columns(text=text)

    def _once(self, text: pl.Series) -> pl.Series:
        masked = mask(mend_characters(text).to_frame("text"), ("code",))
        plain = masked["text"]
        if self.fullwidth == "half":
            plain = _half_width(plain)
        if self.to_simplified:
            plain = simplify(plain)
        return unmask(masked.with_columns(text=tidy_whitespace(plain)))["text"]


def _half_width(text: pl.Series) -> pl.Series:
    hit = text.str.contains("[" + _WIDE + "]").arg_true()
    return text.clone().scatter(hit, text.gather(hit).str.replace_many(list(_WIDE), list(_NARROW)))
