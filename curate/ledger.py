"""The ledger: one line for each row that a step dropped, edited, expanded, quarantined or noted, and the law it obeys."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import polars as pl

LEDGER_SCHEMA: dict[str, pl.DataType] = {
    "row": pl.UInt32(),  # position in the step's input part; a child's is its parent's
    "id": pl.String(),
    "action": pl.String(),
    "reason": pl.String(),
    "other_id": pl.String(),
    "score": pl.Float64(),
}
ACTIONS = ("drop", "quarantine", "edit", "expand", "born", "note")
"""drop and quarantine: the row is gone. edit: changed. expand: replaced by children, which are born (other_id names
their parent). note: seen and reported, not changed."""


def lines(
    row: pl.Series, ids: pl.Series, action: pl.Series | str, reason: pl.Series, **more: pl.Series
) -> pl.DataFrame:
    """Returns ledger lines for rows at positions ``row`` of a part whose ids are ``ids`` (all of the part's)."""
    frame = pl.DataFrame({"row": row, "id": ids.gather(row), "reason": reason, **more})
    acted = action if isinstance(action, pl.Series) else pl.lit(action)
    missing = [pl.lit(None, dtype=LEDGER_SCHEMA[c]).alias(c) for c in ("other_id", "score") if c not in more]
    return frame.with_columns(acted.alias("action"), *missing).select(
        pl.col(name).cast(dtype) for name, dtype in LEDGER_SCHEMA.items()
    )


def empty() -> pl.DataFrame:
    """Returns a ledger without lines."""
    return pl.DataFrame(schema=LEDGER_SCHEMA)


@dataclass(frozen=True)
class Counts:
    """What a step did to rows. The law: ``rows_in + born == rows_out + dropped + quarantined + expanded``."""

    rows_in: int = 0
    rows_out: int = 0
    dropped: int = 0
    quarantined: int = 0
    edited: int = 0
    expanded: int = 0
    born: int = 0
    noted: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Returns the field-wise sum."""
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    def check(self, where: str) -> None:
        """Raises AssertionError when a row was lost or made from nothing; the runner calls it at every stage."""
        given = self.rows_in + self.born
        accounted = self.rows_out + self.dropped + self.quarantined + self.expanded
        if given != accounted:
            raise AssertionError(f"{where}: {given} rows came in or were born, {accounted} are accounted for: {self}")


_FIELDS = {
    "drop": "dropped",
    "quarantine": "quarantined",
    "edit": "edited",
    "expand": "expanded",
    "born": "born",
    "note": "noted",
}


def count(rows_in: int, rows_out: int, ledger: pl.DataFrame) -> Counts:
    """Returns the counts of one part from its ledger."""
    found = dict(ledger.group_by("action", maintain_order=True).len().iter_rows())
    named = {_FIELDS[action]: number for action, number in found.items()}
    return Counts(rows_in=rows_in, rows_out=rows_out, **named)
