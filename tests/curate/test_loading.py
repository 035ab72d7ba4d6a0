"""Imports undisturbed: the collector is still during them and works afterwards, on what comes after."""

from __future__ import annotations

import subprocess
import sys

LOADING = """
import gc, signal
from curate.loading import YOUNG, loading

try:
    with loading():
        assert not gc.isenabled()
        signal.raise_signal(signal.SIGINT)
        import polars
except KeyboardInterrupt:
    print(gc.isenabled(), gc.get_threshold()[0] == YOUNG, gc.get_freeze_count() > 50_000, polars.__name__)

class Loop:
    def __init__(self):
        self.me = self

before = gc.get_stats()[0]["collected"]
for _ in range(2 * YOUNG):
    Loop()
print(gc.get_stats()[0]["collected"] > before)
"""


def test_what_was_imported_is_set_aside_and_cycles_made_later_are_collected() -> None:
    """In a program of its own: an interrupt comes after the import, and the collector works on."""
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True", "True", "polars", "True"], done.stderr


def test_the_library_leaves_the_collector_of_others_alone() -> None:
    """Importing and planning in somebody else's program changes nothing of its collector."""
    code = "import gc; b = gc.get_threshold(); import curate.run, curate.plan; print(b == gc.get_threshold(), gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "0"]
