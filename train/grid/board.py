"""The board: every trial as a trial of an Optuna study in one journal file, so its dashboard shows the search live.

Which trial comes next is the strategy's to say, and who runs it the claims'; the board is given the mixture already
chosen and told what came of it. A trial that a dead worker left running is told failed by the one who takes it over.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

JOURNAL = "optuna.journal"
KEY = "key"


class Board:
    """One worker's view of the study."""

    def __init__(self, folder: Path, name: str) -> None:
        """Opens the study of a search, or makes it."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        folder.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
        self.study = optuna.create_study(storage=storage, study_name=name, direction="minimize", load_if_exists=True)

    def running(self) -> dict[str, list[int]]:
        """Returns the numbers of the trials shown as running, by key."""
        found: dict[str, list[int]] = {}
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            found.setdefault(str(trial.user_attrs[KEY]), []).append(trial.number)
        return found

    def begin(self, key: str, shares: Mapping[str, float], facts: Mapping[str, Any]) -> None:
        """Shows a trial as running; to be called by who holds its claim.

        The trial enters the journal in one record with its key (asking for one and marking it are two, and a worker
        may be killed between them).
        """
        self._tell(key, None)
        trial = optuna.create_trial(
            state=TrialState.RUNNING,
            params={name: min(max(share, 0.0), 1.0) for name, share in shares.items()},
            distributions={name: FloatDistribution(0, 1) for name in shares},
            user_attrs={KEY: key, **facts},
        )
        self.study.add_trial(trial)

    def end(self, key: str, value: float) -> None:
        """Shows the trial of a key as complete with its mean loss."""
        self._tell(key, value)

    def _tell(self, key: str, value: float | None) -> None:
        for number in self.running().get(key, ()):
            if value is None:
                self.study.tell(number, state=TrialState.FAIL)
            else:
                self.study.tell(number, value)
