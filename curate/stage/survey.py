"""The survey: a Score that also writes down what it found, and figures over the whole data set."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.stage.shapes import Score


@dataclass(frozen=True)
class Surveyed:
    """What a survey makes of some rows.

    ``scores`` has the columns named in ``writes``; ``matches`` a line for each thing found, with the row's ``id`` and
    columns of the stage's own; ``tally`` small numbers that can be merged over parts.
    """

    scores: pl.DataFrame
    matches: pl.DataFrame
    tally: pl.DataFrame


class Survey(Score):
    """A Score with findings: lines told by ``explain`` and written beside the ledger, and a summary in the report."""

    @abstractmethod
    def survey(self, rows: pl.DataFrame) -> Surveyed:
        """Returns the scores of the rows and what was found."""

    @abstractmethod
    def summary(self, tallies: Iterable[pl.DataFrame]) -> dict[str, Any]:
        """Returns the figures of the whole data set as JSON data, from the tallies of its parts in any order."""

    @abstractmethod
    def notes(self, summary: dict[str, Any]) -> Iterator[str]:
        """Yields a summary as lines of the run's report."""

    @abstractmethod
    def told(self, matches: pl.DataFrame) -> Iterator[str]:
        """Yields matches of one row as lines for people; what belongs to the line above is indented by four."""

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the scores alone."""
        return self.survey(rows).scores
