"""A worker: takes jobs no one else has, runs them, and waits for those others run; any number may share a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.grid.board import Board
from train.grid.choices import Grade
from train.grid.claims import claim
from train.grid.grades import grade_file, write_grade
from train.grid.jobs import Job, Ready, Shop
from train.grid.matrix import read_trials, trial_file, write_trial

PAUSE = 0.5
"""Seconds between looks at what others run."""

Listener = Callable[[str, bool], None]
"""Told a line; one that passes (True) is replaced by the next."""


@dataclass(frozen=True)
class Worker:
    """One process and its device."""

    folder: Path
    shop: Shop
    board: Board
    listener: Listener = lambda _text, _passes: None

    def complete(self, jobs: Sequence[Job]) -> list[str]:
        """Returns when every job is in the loss matrix, run here or elsewhere; the keys, in the order of the jobs.

        Two jobs of one key (the same mixture by two names) are one trial.
        """
        ready = [self.shop.ready(job) for job in jobs]
        waiting = {one.key: one for one in ready}
        while waiting := {key: one for key, one in waiting.items() if not self.is_done(key)}:
            if not any([self._try(one) for one in waiting.values()]):
                self.rest()
        self._settle({one.key for one in ready})
        return [one.key for one in ready]

    def is_done(self, key: str) -> bool:
        """Tells whether a trial is in the loss matrix, measured on every test of the search."""
        graded = (grade_file(self.folder, key, test.digest) for test in self.shop.tests.values())
        return trial_file(self.folder, key).exists() and all(place.exists() for place in graded)

    @staticmethod
    def rest() -> None:
        """Waits a moment for what others run."""
        time.sleep(PAUSE)

    def _settle(self, keys: set[str]) -> None:
        """Shows as complete what a worker finished that was killed before it could tell the board."""
        for key in sorted(keys & self.board.running().keys()):
            with claim(self.folder, key) as mine:
                if mine:
                    losses = read_trials(self.folder, [key])["loss"].to_list()
                    self.board.end(key, sum(losses) / len(losses))

    def _try(self, ready: Ready) -> bool:
        """Runs a trial unless it is done or another worker runs it; tells whether it was run here."""
        with claim(self.folder, ready.key) as mine:
            if not mine or self.is_done(ready.key):
                return False
            job = ready.job
            label = f"{job.name}  seed {job.seed}" + (f"  rung {job.rung}" if job.rung != 1 else "")
            for note in ready.notes if job.spec else ():
                self.listener(f"{label}: {note}", False)
            self.listener(label, True)
            facts = {"mix": ready.mix, "name": job.name, "seed": job.seed, "rung": str(job.rung)}
            self.board.begin(ready.key, self.shop.shares(ready), facts)
            rows, grades = self.shop.run(
                ready, lambda step, steps: self.listener(f"{label}  step {step}/{steps}", True)
            )
            self._write(ready.key, rows, grades)
            mean = sum(row["loss"] for row in rows) / len(rows)
            self.board.end(ready.key, mean)
            losses = "  ".join(f"{row['ability']} {row['loss']:.3f}" for row in rows)
            losses += "".join(f"  {name} {found.loss:.3f} ({found.accuracy:.0%})" for name, found in grades.items())
            self.listener(f"{label}  {losses}  {rows[0]['seconds']:.0f} s", False)
            return True

    def _write(self, key: str, rows: list[dict[str, Any]], grades: dict[str, Grade]) -> None:
        """Files the grades, then the trial; one that was run before, without some of the tests, stays as it was."""
        for name, found in grades.items():
            write_grade(self.folder, key, self.shop.tests[name].digest, found)
        if not trial_file(self.folder, key).exists():
            write_trial(self.folder, rows)
