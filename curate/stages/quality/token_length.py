"""The tokens of a row as the model reads it: its conversation in the chat template, or its text."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from curate.chat import rendered_lengths
from curate.errors import StageError
from curate.fingerprint import FileRef
from curate.stage import Score
from curate.tokens import load_tokenizer

_ANSWERS = {"preference": ("chosen", "rejected"), "kto": ("completion",)}


class TokenLength(Score):
    """Counts the tokens of each row; of a preference pair the longer of its two conversations."""

    name: ClassVar[str] = "token_length"
    writes: ClassVar[tuple[str, ...]] = ("length_tokens",)
    libraries: ClassVar[tuple[str, ...]] = ("tokenizers", "fastokens", "jinja2")

    tokenizer: FileRef | None = Field(default=None, description="tokenizer that counts; default the recipe's")

    @property
    def needs_tokenizer(self) -> bool:
        """True: it counts nothing else."""
        return True

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns length_tokens (Int64), null where the chat template refuses the row.

        Raises:
            StageError: when neither the stage nor the recipe names a tokenizer.
        """
        if self.tokenizer is None:
            raise StageError("stage 'length' counts tokens but has no tokenizer: set `tokenizer:` in the recipe")
        tokenizer = load_tokenizer(str(self.tokenizer))
        lengths = rendered_lengths(rows, tokenizer)
        for kind, fields in _ANSWERS.items():
            at = (rows["kind"] == kind).arg_true()
            for field in fields if len(at) else ():
                whole = _as_chats(rows[at], field)
                lengths[at.to_numpy()] = np.maximum(lengths[at.to_numpy()], rendered_lengths(whole, tokenizer))
        column = pl.Series("length_tokens", lengths, dtype=pl.Int64)
        return pl.DataFrame({"length_tokens": column}).select(
            pl.when(pl.col("length_tokens") >= 0).then("length_tokens")
        )


def _as_chats(rows: pl.DataFrame, field: str) -> pl.DataFrame:
    """Returns the rows as chats of their prompt and one answer."""
    nothing = pl.lit(None, dtype=rows.schema["messages"])
    return rows.with_columns(
        kind=pl.lit("chat"), messages=pl.concat_list(pl.col("prompt"), pl.col(field)), prompt=nothing
    )
