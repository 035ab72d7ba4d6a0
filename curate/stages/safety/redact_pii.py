"""redact_pii: replaces personal data by typed placeholders, the same value by the same one all over a row."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

import polars as pl
from pydantic import AfterValidator, Field

from curate.stage import Edit, Edited
from curate.stages.safety.phrases import checked_patterns, checked_terms
from curate.stages.safety.pii_candidates import candidates
from curate.stages.safety.pii_finders import TYPES, Type, find
from curate.stages.safety.pii_json import is_json, spoken
from curate.stages.safety.pii_known import Known, spellings
from curate.stages.safety.pii_places import places, put_back

_FOUND = {"at": pl.UInt32, "type": pl.String, "value": pl.String, "raw": pl.String}
_SPELLED = {"row": pl.UInt32, "type": pl.String, "value": pl.String, "raw": pl.String, "placeholder": pl.String}
_PLACEHOLDER = r"\[(" + "|".join(TYPES) + r")_(\d{1,9})\]"


def _known_region(region: str) -> str:
    import phonenumbers

    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"unknown region {region!r}; use a two-letter country code such as CN, US or GB")
    return region


class RedactPii(Edit):
    """Replaces phone numbers, e-mail and network addresses, secrets in URLs, ID and bank cards and licence plates."""

    name: ClassVar[str] = "redact_pii"
    version: ClassVar[int] = 2
    reasons: ClassVar[tuple[str, ...]] = ("pii", "pii_in_answer")
    libraries: ClassVar[tuple[str, ...]] = ("phonenumbers", "python-stdnum")

    roles: tuple[str, ...] = Field(
        default=("system", "user", "document"),
        description="roles whose personal data is redacted, in them and wherever the row repeats it; what stands only in"
        " answers is noted unless assistant is listed",
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

    def edit(self, rows: pl.DataFrame) -> Edited:
        """Returns the rows with placeholders, and the note ``pii_in_answer`` on rows whose answers alone hold some."""
        everywhere = places(rows).with_row_index("at")
        looked_at = pl.col("role").is_in([*self.roles, "assistant"])
        found = self._find(everywhere.filter(looked_at))
        listed = pl.col("role").is_in(list(self.roles))
        numbers = _numbered(everywhere, found.filter(listed))
        changed = self._put(everywhere, found.filter(listed), numbers)
        only_said = found.filter(~listed).join(numbers, on=["row", "type", "value"], how="anti", maintain_order="left")
        notes = only_said.select("row", reason=pl.lit("pii_in_answer")).unique(maintain_order=True)
        touched = changed["row"].unique(maintain_order=True)
        at = pl.DataFrame({"row": touched, "new": pl.int_range(len(touched), dtype=pl.UInt32, eager=True)})
        local = changed.join(at, on="row", how="left", maintain_order="left").with_columns(row="new").drop("new")
        return Edited.of(put_back(rows[touched], local), touched, "pii", notes=notes)

    def _find(self, texts: pl.DataFrame) -> pl.DataFrame:
        """Returns row, role, type, value and raw text of the personal data in some places, by place."""
        texts = texts.filter(_worth_a_look(texts["text"]))
        seen = [spoken(text) if is_json(text) else text for text in texts["text"].to_list()]
        found = [
            (at, item, text)
            for at, text in zip(texts["at"].to_list(), seen, strict=True)
            for item in find(text, self.types, self.region)
        ]
        columns = {
            "at": [at for at, _, _ in found],
            "type": [item.type for _, item, _ in found],
            "value": [item.value for _, item, _ in found],
            "raw": [text[item.start : item.end] for _, item, text in found],
        }
        frame = pl.DataFrame(columns, schema=_FOUND)
        where = frame.join(texts.select("at", "row", "role"), on="at", how="left", maintain_order="left")
        return self._without_allowed(where)

    def _without_allowed(self, found: pl.DataFrame) -> pl.DataFrame:
        allowed = {_bare(value) for value in self.allow}
        bare = [pl.col(name).str.to_lowercase().str.replace_all(_FILLING, "") for name in ("raw", "value")]
        for expression in bare:
            found = found.filter(~expression.is_in(sorted(allowed)))
        for pattern in self.allow_patterns:
            found = found.filter(~pl.col("raw").str.contains(pattern))
        return found

    def _allowed(self, raw: str) -> bool:
        return any(pl.Series([raw]).str.contains(pattern).item() for pattern in self.allow_patterns)

    def _put(self, everywhere: pl.DataFrame, found: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
        """Returns the places that change, with placeholders for what was found in the listed roles of their rows."""
        spelled = self._spelled(found, numbers)
        known = self._known(numbers, spelled)
        near = everywhere.filter(pl.col("row").is_in(numbers["row"].unique().implode()))
        alike = near.join(spelled.select("row", "raw"), on="row").filter(
            pl.col("text").str.contains(pl.col("raw"), literal=True)
        )
        near = near.filter(_worth_a_look(near["text"]) | near["at"].is_in(alike["at"].unique().implode()))
        texts = [known[row].put(text) for row, text in zip(near["row"].to_list(), near["text"].to_list(), strict=True)]
        after = pl.Series("text", texts, dtype=pl.String)
        return near.with_columns(after).filter(after != near["text"]).drop("at")

    def _spelled(self, found: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
        """Returns the spellings (row, type, value, raw, placeholder) by which found values are known elsewhere."""
        labelled = found.join(numbers, on=["row", "type", "value"], maintain_order="left")
        lines = [
            (row, kind, value, spelling, placeholder)
            for row, kind, value, raw, placeholder in labelled.select(list(_SPELLED)).unique(maintain_order=True).rows()
            for spelling in spellings(kind, raw, value)
        ]
        frame = pl.DataFrame(lines, schema=_SPELLED, orient="row")
        return self._without_allowed(frame).unique(["row", "raw"], keep="first", maintain_order=True)

    def _known(self, numbers: pl.DataFrame, spelled: pl.DataFrame) -> dict[int, Known]:
        known: dict[int, Known] = {}
        for row, kind, value, placeholder in numbers.rows():
            if row not in known:
                known[row] = Known({}, {}, lambda text: find(text, self.types, self.region), self._allowed)
            known[row].values[kind, value] = placeholder
        for row, raw, placeholder in spelled.select("row", "raw", "placeholder").rows():
            known[row].spelled[raw] = placeholder
        return known


_FILLING = r"[\s\-().·•・]"


def _bare(value: str) -> str:
    return re.sub(_FILLING, "", value.lower())


def _worth_a_look(texts: pl.Series) -> pl.Series:
    """Says which texts could hold personal data, JSON with escaped characters among them."""
    escaped = texts.str.contains(r"^\s*[\[{]") & texts.str.contains("\\", literal=True)
    return candidates(texts) | escaped


def _numbered(everywhere: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Returns row, type, value and placeholder: numbers rise by first mention, after those already in the row."""
    first = found.unique(["row", "type", "value"], keep="first", maintain_order=True).select("row", "type", "value")
    there = (
        everywhere.filter(
            pl.col("row").is_in(found["row"].unique().implode()) & pl.col("text").str.contains(_PLACEHOLDER)
        )
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
    return numbers.select("row", "type", "value", placeholder=pl.format("[{}_{}]", "type", "number"))
