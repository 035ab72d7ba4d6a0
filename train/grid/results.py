"""What the finished trials of a folder say, as numbers: losses, mixtures, and which of them may teach the law."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from train.grid.baselines import BASE
from train.grid.choices import Grade
from train.grid.grades import read_grade
from train.grid.jobs import Shop
from train.grid.matrix import read_trials
from train.grid.strategies import Finished, Trial

Array = NDArray[np.float64]

SHORT = 0.98
"""A run on less than this part of the budget is shown, but teaches nothing: its losses are of less training."""


@dataclass
class Results:
    """The loss matrix of a folder as one search reads it; a trial is never rewritten, so each is read once."""

    folder: Path
    shop: Shop
    reading: Literal["share", "amount"]
    budget: int | None
    _rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    _grades: dict[tuple[str, str], Grade] = field(default_factory=dict)

    def rows(self, key: str) -> dict[str, dict[str, Any]]:
        """Returns the rows of a finished trial by ability."""
        if key not in self._rows:
            self._rows[key] = {row["ability"]: row for row in read_trials(self.folder, [key]).iter_rows(named=True)}
        return self._rows[key]

    def losses(self, keys: Sequence[str]) -> Array:
        """Returns the losses [keys, targets], those of the abilities and then the choice losses of the tests.

        They are nan where a trial was not measured on an ability's rows, or on a test, as they are now.
        """
        digests, tests = self.shop.digests, tuple(self.shop.tests)

        def loss(key: str, name: str) -> float:
            row = self.rows(key).get(name)
            return float(row["loss"]) if row and row["validation"] == digests[name] else float("nan")

        found = [[loss(key, name) for name in self.shop.abilities] for key in keys]
        graded = [[grade.loss if (grade := self.grade(key, name)) else float("nan") for name in tests] for key in keys]
        return np.concatenate([np.array(found), np.array(graded).reshape(len(keys), len(tests))], axis=1)

    def grade(self, key: str, name: str) -> Grade | None:
        """Returns the grade of a trial on a test, or None where it was not measured."""
        asked = key, self.shop.tests[name].digest
        if asked not in self._grades and (found := read_grade(self.folder, *asked)) is not None:
            self._grades[asked] = found
        return self._grades.get(asked)

    def accuracy(self, keys: Sequence[str], name: str) -> float:
        """Returns the accuracy of a mixture on a test, the mean over its trials."""
        found = [self.grade(key, name) for key in keys]
        return float(np.mean([one.accuracy if one else np.nan for one in found]))

    def mixtures(self, keys: Sequence[str]) -> Array:
        """Returns what was trained on [keys, abilities]: shares of the trained tokens, or how many."""
        column = "share" if self.reading == "share" else "trained_tokens"
        found = [[float(self.rows(key).get(name, {}).get(column, 0)) for name in self.shop.abilities] for key in keys]
        return np.array(found)

    def trained(self, keys: Sequence[str]) -> float:
        """Returns the trained tokens of a mixture, the mean over its trials."""
        return float(np.mean([sum(row["trained_tokens"] for row in self.rows(key).values()) for key in keys]))

    def is_short(self, keys: Sequence[str]) -> bool:
        """Tells whether the pool gave a mixture less than the budget."""
        return self.budget is not None and self.trained(keys) < SHORT * self.budget

    def finished(self, trial: Trial, keys: Sequence[str]) -> Finished:
        """Returns what a strategy is told of a mixture: means over its trials."""
        mixture, losses = self.mixtures(keys).mean(axis=0), self.losses(keys).mean(axis=0)
        return Finished(trial, tuple(mixture.tolist()), tuple(losses.tolist()))

    def lessons(self, groups: Iterable[Sequence[str]]) -> list[Finished]:
        """Returns the mixtures run to their full length on the whole budget: what the law may learn from.

        Two names of one mixture share trials; it counts once, by the one that has more.
        """
        taken: set[str] = set()
        found = []
        for keys in sorted(groups, key=len, reverse=True):
            if not taken.issuperset(keys) and self._teaches(keys):
                taken |= set(keys)
                found.append(self.finished(Trial(()), keys))
        return found

    def _teaches(self, keys: Sequence[str]) -> bool:
        rows = [row for key in keys for row in self.rows(key).values()]
        return all(row["rung"] == "1" and row["name"] != BASE for row in rows) and not self.is_short(keys)

    def alike(self) -> list[str]:
        """Returns the keys of all trials in the folder of the same settings, trained from the same rows as now.

        A trial of fewer abilities is among them; one that trained on rows that have changed since is not.
        """
        rows = read_trials(self.folder)
        now = pl.DataFrame({"ability": list(self.shop.pools), "now": list(self.shop.pools.values())})
        used = rows.join(now, on="ability", how="left").filter(pl.col("trained_tokens") > 0)
        same = (pl.col("settings") == self.shop.settings) & (pl.col("pool") == pl.col("now")).fill_null(False)
        checked = used.group_by("key", maintain_order=True).agg(same.all().alias("same"))
        return sorted(checked.filter("same")["key"].to_list())
