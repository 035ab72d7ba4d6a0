"""Customer profiles written into the system message through a template, for a seeded share of the rows."""

from __future__ import annotations

import string
from itertools import repeat
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import xxhash
from pydantic import Field, field_validator

from curate.rows import MESSAGE, Kind, assemble, flat_messages
from curate.stage import Edit, Edited

_FIELDS = ("messages", "prompt")
_SALT = b"attach_profile\x00"


class AttachProfile(Edit):
    """Puts what is known about the customer into the system message."""

    name: ClassVar[str] = "attach_profile"
    kinds: ClassVar[tuple[Kind, ...]] = ("chat", "preference", "kto")
    reasons: ClassVar[tuple[str, ...]] = ("profile_attached", "profile_missing", "profile_withheld")

    template: str = Field(
        description="the text, with {name} for a key of the row's profile or, failing that, of its meta data; "
        "{{ and }} stand for braces"
    )
    missing: Literal["skip", "text"] = Field(
        default="skip", description="when a key has no value: leave the row without a profile, or write `missing_text`"
    )
    missing_text: str = Field(default="未知", description="stands for a value that is not known, with `missing: text`")
    drop_rate: float = Field(
        default=0.0, ge=0.0, le=1.0, description="share of rows left without a profile, so a model learns both"
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of the choice; the row's id decides, not its place")

    @field_validator("template")
    @classmethod
    def _only_names(cls, template: str) -> str:
        names = [name for _, name in _pieces(template) if name is not None]
        if not names:
            raise ValueError(
                f"the template {template!r} names no field; write for example '客户：{{gender}}，{{age}}岁'"
            )
        return template

    def edit(self, rows: pl.DataFrame) -> Edited:
        """Returns the rows with a profile; the others are noted as missing or withheld."""
        numbered = rows.select(row=pl.int_range(pl.len(), dtype=pl.UInt32), text=self._rendered(rows))
        withheld = self._withheld(rows["id"])
        notes = numbered.select(
            "row",
            reason=pl.when(pl.col("text").is_null())
            .then(pl.lit("profile_missing"))
            .when(withheld)
            .then(pl.lit("profile_withheld")),
        )
        at = notes.filter(pl.col("reason").is_null())["row"]
        edited, texts = rows[at], numbered["text"].gather(at)
        edited = edited.with_columns(_attached(edited, field, texts) for field in _FIELDS)
        return Edited.of(edited, at, "profile_attached", notes=notes.drop_nulls("reason"))

    def _rendered(self, rows: pl.DataFrame) -> pl.Expr:
        """Returns the text of each row, null when a value is missing and `missing` is ``skip``."""
        parts: list[pl.Expr] = []
        for literal, name in _pieces(self.template):
            parts.append(pl.lit(literal))
            if name is not None:
                parts.append(self._value(name))
        return pl.concat_str(parts)

    def _value(self, name: str) -> pl.Expr:
        sources = [pl.col(column).str.json_path_match(f"$['{name}']") for column in ("profile", "meta")]
        known = [pl.when(value.str.strip_chars() != "").then(value.str.strip_chars()) for value in sources]
        return pl.coalesce(*known, *([pl.lit(self.missing_text)] if self.missing == "text" else []))

    def _withheld(self, ids: pl.Series) -> pl.Series:
        """Decides for each id by a keyed hash, the same wherever the row stands."""
        salted = [_SALT + key for key in ids.cast(pl.Binary).to_list()] if self.drop_rate else []
        if not salted:
            return pl.repeat(False, len(ids), dtype=pl.Boolean, eager=True)
        hashes = np.fromiter(map(xxhash.xxh3_64_intdigest, salted, repeat(self.seed)), np.uint64, len(salted))
        return pl.Series((hashes >> np.uint64(11)) * 2.0**-53 < self.drop_rate)


def _pieces(template: str) -> list[tuple[str, str | None]]:
    """Returns the template as pairs of literal text and field name.

    Raises:
        ValueError: for anything but plain ``{name}`` fields.
    """
    advice = "only {name} fields are known; write {{ and }} for braces"
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"the template {template!r} can't be read ({error}); {advice}") from None
    for _, name, spec, conversion in parsed:
        if name is not None and (not name.isidentifier() or spec or conversion):
            shown = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            raise ValueError(f"the template {template!r} holds {{{shown}}}; {advice}")
    return [(literal, name) for literal, name, _, _ in parsed]


def _attached(rows: pl.DataFrame, field: str, texts: pl.Series) -> pl.Series:
    """Returns the field with each row's text appended to its system message, or as a new first message."""
    flat = flat_messages(rows, field)
    first_system = (pl.col("turn") == 0) & (pl.col("role") == "system")
    said = pl.when(pl.col("content").str.strip_chars() != "").then("content")
    appended = pl.concat_str(said, texts.gather(flat["row"]), separator="\n", ignore_nulls=True)
    flat = flat.with_columns(content=pl.when(first_system).then(appended).otherwise("content"))
    bare = flat.filter((pl.col("turn") == 0) & ~first_system).select("row")
    new = bare.select(
        "row",
        turn=pl.lit(0, dtype=pl.UInt32),
        role=pl.lit("system"),
        content=texts.gather(bare["row"]),
        **{name: pl.lit(None, dtype=dtype) for name, dtype in list(MESSAGE.to_schema().items())[2:]},
    )
    whole = pl.concat([new, flat]).sort("row", "turn", maintain_order=True)
    built = assemble(whole, rows.height)
    return pl.select(pl.when(built.list.len() > 0).then(built).otherwise(rows[field]).alias(field))[field]
