"""The options that choose an executor: what contradicts itself, and what is missing, is said."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from curate.cli.executing import executing
from curate.errors import CurateError
from curate.executors.local import LocalExecutor
from curate.executors.serial import SerialExecutor


@pytest.mark.parametrize(
    ("name", "workers", "address", "said"),
    [
        ("local", None, "10.0.0.1:6379", "add --executor ray"),
        ("ray", 2, "10.0.0.1:6379", "brings its own workers"),
    ],
)
def test_contradictions(name: str, workers: int | None, address: str | None, said: str, tmp_path: Path) -> None:
    """An address without Ray, and workers for a cluster, are refused."""
    with pytest.raises(click.UsageError, match=said), executing(name, workers, address, tmp_path):
        pass


def test_names(tmp_path: Path) -> None:
    """Each name gives its executor."""
    with executing("serial", None, None, tmp_path) as serial, executing("local", 2, None, tmp_path) as local:
        assert isinstance(serial, SerialExecutor)
        assert isinstance(local, LocalExecutor)


def test_ray_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Ray is not installed, asking for it says how to get it."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2])])
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with (
        pytest.raises(CurateError, match=r"Ray, which is not installed: pip install 'curate-train\[ray\]'"),
        executing("ray", None, None, tmp_path),
    ):
        pass
