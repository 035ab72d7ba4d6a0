"""redact_pii: replaces personal data by typed placeholders, the same value by the same one within a row."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

import polars as pl
from pydantic import AfterValidator, Field

from curate.stage import TurnEdit
from curate.stages.safety.phrases import checked_patterns, checked_terms
from curate.stages.safety.pii_candidates import candidates
from curate.stages.safety.pii_finders import TYPES, Type, find

_FOUND = {"at": pl.UInt32, "start": pl.Int64, "end": pl.Int64, "type": pl.String, "value": pl.String}
_PLACEHOLDER = r"\[(" + "|".join(TYPES) + r")_(\d{1,9})\]"


def _known_region(region: str) -> str:
    import phonenumbers

    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"unknown region {region!r}; use a two-letter country code such as CN, US or GB")
    return region


class RedactPii(TurnEdit):
    """Replaces phone numbers, e-mail and network addresses, secrets in URLs, ID and bank cards and licence plates."""

    name: ClassVar[str] = "redact_pii"
    version: ClassVar[int] = 1
    reason: ClassVar[str] = "pii"
    reasons: ClassVar[tuple[str, ...]] = ("pii", "pii_in_answer")
    libraries: ClassVar[tuple[str, ...]] = ("phonenumbers", "python-stdnum")

    roles: tuple[str, ...] = Field(
        default=("system", "user", "document"),
        description="roles of the turns it edits; what it sees in assistant turns is only noted unless they are listed",
    )
    types: tuple[Type, ...] = Field(default=TYPES, description="kinds of personal data to look for")
    region: Annotated[str, AfterValidator(_known_region)] = Field(
        default="CN", description="country whose phone numbers are known without a +, as a two-letter code"
    )
    allow: Annotated[tuple[str, ...], AfterValidator(checked_terms)] = Field(
        default=(), description="values that are never redacted; case, spaces and dashes do not matter"
    )
    allow_patterns: Annotated[tuple[str, ...], AfterValidator(checked_patterns)] = Field(
        default=(), description="RE2-style patterns; what one of them matches in is never redacted"
    )

    def seen_roles(self) -> tuple[str, ...]:
        """Returns the edited roles and the assistant's, whose answers are looked at too."""
        return tuple(dict.fromkeys((*self.roles, "assistant")))

    def edit_turns(self, turns: pl.DataFrame) -> pl.DataFrame:
        """Returns the turns with placeholders, and the note ``pii_in_answer`` on answers that hold personal data."""
        found = self._find(turns)
        edits = pl.col("role").is_in(list(self.roles))
        redacted = _redact(turns, _numbered(turns, found.filter(edits)))
        noted = found.filter(~edits)["at"].unique()
        index = pl.int_range(turns.height, dtype=pl.UInt32, eager=True)
        note = pl.when(index.is_in(noted.implode())).then(pl.lit("pii_in_answer"))
        return turns.with_columns(text=redacted, note=note)

    def _find(self, turns: pl.DataFrame) -> pl.DataFrame:
        """Returns place, type and value of all personal data: ``at`` is the turn's position."""
        at = candidates(turns["text"]).arg_true()
        texts = turns["text"].gather(at).to_list()
        found = [
            (here, item) for here, text in zip(at, texts, strict=True) for item in find(text, self.types, self.region)
        ]
        columns = {
            "at": [here for here, _ in found],
            "start": [item.start for _, item in found],
            "end": [item.end for _, item in found],
            "type": [item.type for _, item in found],
            "value": [item.value for _, item in found],
        }
        frame = pl.DataFrame(columns, schema=_FOUND)
        where = turns[frame["at"]].select("row", "role", "text")
        raw = pl.col("text").str.slice(pl.col("start"), pl.col("end") - pl.col("start"))
        return self._without_allowed(frame.hstack(where).with_columns(raw=raw))

    def _without_allowed(self, found: pl.DataFrame) -> pl.DataFrame:
        allowed = {_bare(value) for value in self.allow}
        bare = [pl.col(name).str.to_lowercase().str.replace_all(_FILLING, "") for name in ("raw", "value")]
        for expression in bare:
            found = found.filter(~expression.is_in(sorted(allowed)))
        for pattern in self.allow_patterns:
            found = found.filter(~pl.col("raw").str.contains(pattern))
        return found


_FILLING = r"[\s\-().·•・]"


def _bare(value: str) -> str:
    return re.sub(_FILLING, "", value.lower())


def _numbered(turns: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Adds each value's ``placeholder``: numbers rise in a row and type by first mention, after those already there."""
    first = found.unique(["row", "type", "value"], keep="first", maintain_order=True).select("row", "type", "value")
    there = (
        turns.filter(pl.col("row").is_in(found["row"].unique().implode()) & pl.col("text").str.contains(_PLACEHOLDER))
        .select("row", mark=pl.col("text").str.extract_all(_PLACEHOLDER))
        .explode("mark")
        .select(
            "row", type=pl.col("mark").str.extract(_PLACEHOLDER, 1), used=pl.col("mark").str.extract(_PLACEHOLDER, 2)
        )
        .group_by("row", "type")
        .agg(pl.col("used").cast(pl.Int64).max())
    )
    rank = pl.int_range(1, pl.len() + 1).over("row", "type") + pl.col("used").fill_null(0)
    numbers = first.join(there, on=["row", "type"], how="left", maintain_order="left").with_columns(number=rank)
    label = pl.format("[{}_{}]", "type", "number")
    return found.join(numbers, on=["row", "type", "value"], maintain_order="left").with_columns(placeholder=label)


def _redact(turns: pl.DataFrame, found: pl.DataFrame) -> pl.Series:
    """Returns the texts with each found place replaced by its placeholder."""
    same = pl.col("at") == pl.col("at").shift()
    begin = pl.when(same).then(pl.col("end").shift()).otherwise(0)
    before = pl.col("text").str.slice(begin, pl.col("start") - begin)
    pieces = found.with_columns(piece=before + pl.col("placeholder"))
    tail = pl.col("text").last().str.slice(pl.col("end").last())
    whole = pieces.group_by("at", maintain_order=True).agg(text=pl.col("piece").str.join("") + tail)
    return turns["text"].clone().scatter(whole["at"], whole["text"])
