"""What a row of a mixture table means: shares of a fixed budget, or amounts of which the total varies too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curate.errors import TrainError
from train.mixlaw.surrogate import Array

SLACK = 0.02
"""Totals within two percent of one another are shares that were rounded."""


@dataclass(frozen=True)
class Space:
    """Columns `domains`; `unit` is None for shares, else the mean total of the runs, in which amounts are measured."""

    domains: tuple[str, ...]
    unit: float | None

    def scale(self, mixtures: Array) -> Array:
        """Returns mixtures [m, d] as the surrogates take them: shares that sum to 1, or amounts in units.

        Raises:
            TrainError: a number is negative or missing, a row is empty, or totals vary under a law of shares.
        """
        rows = _checked(mixtures, len(self.domains))
        if self.unit is not None:
            return rows / self.unit
        totals = rows.sum(1, keepdims=True)
        if len(totals) and float(totals.max()) > (1 + SLACK) * float(totals.min()):
            raise TrainError(
                f"the law was fitted to shares, but these rows sum to {totals.min():g} up to {totals.max():g}; "
                "give shares, or fit the law to amounts"
            )
        return np.asarray(rows / totals)


def space_of(mixtures: Array, domains: tuple[str, ...]) -> Space:
    """Returns the space of a table of runs: shares when all rows have the same sum, else amounts.

    Raises:
        TrainError: as `Space.scale`.
    """
    totals = _checked(mixtures, len(domains)).sum(1)
    varies = float(totals.max()) > (1 + SLACK) * float(totals.min())
    return Space(domains, float(totals.mean()) if varies else None)


def _checked(mixtures: Array, domains: int) -> Array:
    rows = np.asarray(mixtures, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != domains:
        raise TrainError(f"mixtures have shape {rows.shape}; one row a mixture and {domains} columns are needed")
    bad = ~np.isfinite(rows) | (rows < 0)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise TrainError(f"mixture {row + 1}, column {column + 1} is {rows[row, column]}; shares are numbers from 0 up")
    if len(rows) and (empty := rows.sum(1) <= 0).any():
        raise TrainError(f"mixture {int(np.flatnonzero(empty)[0]) + 1} is empty: all its shares are 0")
    return rows
