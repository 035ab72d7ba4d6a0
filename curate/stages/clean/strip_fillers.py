"""strip_fillers: takes filled pauses (嗯, 呃, um, uh) out of transcribed speech and changes nothing else."""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from curate.fingerprint import FileRef
from curate.stage import TurnEdit
from curate.stage.masking import Mask
from curate.stages.clean.filler_joins import without
from curate.stages.clean.filler_lexicon import Lexicon, read_lexicon
from curate.stages.clean.filler_tokens import mark, tokenize

_ROUNDS = 8
"""A filler that goes can set off its neighbour; turns settle in one or two rounds."""


class StripFillers(TurnEdit):
    """Removes the filled pauses of Chinese and English speech when nothing but a pause can be meant."""

    name: ClassVar[str] = "strip_fillers"
    version: ClassVar[int] = 1
    masks: ClassVar[tuple[Mask, ...]] = ("code", "quotes")
    reason: ClassVar[str] = "filler"
    empty_reason: ClassVar[str] = "filler_only"
    reasons: ClassVar[tuple[str, ...]] = ("filler", "filler_only")

    roles: tuple[str, ...] = Field(default=("user", "assistant"), description="roles of the turns it edits")
    filler_only: Literal["keep", "drop"] = Field(
        default="keep",
        description="a turn that is nothing but a filler is an answer and stays; drop: it is removed, neighbours of "
        "one role are merged, and a chat left without an exchange is dropped",
    )
    lexicon: FileRef | None = Field(
        default=None,
        description="a text file of further fillers, a term on each line, optionally a tab and its rule: "
        "set_off (default), opening or anywhere",
    )

    def edit_turns(self, turns: pl.DataFrame) -> pl.DataFrame:
        """Returns the turns without fillers; with ``filler_only: drop`` also which turns go."""
        lexicon = read_lexicon(self.lexicon)
        text, only = turns["text"].clone(), pl.repeat(False, turns.height, dtype=pl.Boolean, eager=True)
        at = pl.int_range(turns.height, dtype=pl.UInt32, eager=True)
        for round_number in range(_ROUNDS):
            at = at.filter(_candidates(text.gather(at), lexicon))
            if at.is_empty():
                break
            edited, filler = _once(text.gather(at), lexicon)
            if round_number == 0:
                only = only.scatter(at, filler)
            moved = edited.ne_missing(text.gather(at))
            at, edited = at.filter(moved), edited.filter(moved)
            text = text.scatter(at, edited)
        edited_turns = turns.with_columns(text=text)
        return edited_turns.with_columns(remove=only) if self.filler_only == "drop" else edited_turns


def _candidates(text: pl.Series, lexicon: Lexicon) -> pl.Series:
    chinese, latin = lexicon.candidates
    return text.str.contains(chinese) | text.str.contains(latin)


def _once(text: pl.Series, lexicon: Lexicon) -> tuple[pl.Series, pl.Series]:
    """Returns the texts after one round, and which of them are nothing but fillers (those stay as they are)."""
    tokens = mark(tokenize(text.to_frame("text"), lexicon), lexicon)
    empty = pl.col("word") == ""
    whole = tokens.group_by("at", maintain_order=True).agg(
        moved=(pl.col("gone") | (pl.col("word") != pl.col("bare"))).any(),
        left=(~pl.col("gone") & pl.col("bare").str.contains(r"[\p{L}\p{N}\x{f5eed}]")).any(),
        only=(pl.col("only") | empty).all() & ~empty.all() & ~pl.col("sep").str.contains("[?？!！]").any(),
    )
    moved = whole.filter(pl.col("moved") & pl.col("left"))["at"]
    edited = without(tokens.filter(pl.col("at").is_in(moved.implode())))
    only = pl.repeat(False, len(text), dtype=pl.Boolean, eager=True).scatter(whole["at"], whole["only"])
    return text.clone().scatter(edited["at"], edited["text"]), only
