"""What a run of a command costs."""

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
WORK = "import time\nwhile time.process_time() < 0.5: pass"


def test_processes_left_behind_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU time of a child that outlives its parent is told."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    measure = importlib.import_module("measure")
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WORK!r}])"
    assert measure.run([sys.executable, "-c", parent]).cpu >= 0.5
    assert measure.run([sys.executable, "-c", "pass"]).cpu < 0.5


def test_a_failure_says_what_the_command_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error ends with the command's own last words."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    measure = importlib.import_module("measure")
    with pytest.raises(RuntimeError, match="exit 1\nno such thing"):
        measure.run([sys.executable, "-c", "raise SystemExit('no such thing')"])
