"""The options that choose an executor: what contradicts itself, and what is missing, is said."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from curate.cli.executing import PRELOADED, PRELOADED_FOR, executing, preloaded
from curate.errors import CurateError
from curate.executors.local import THREAD_LIMITS, LocalExecutor
from curate.executors.serial import SerialExecutor
from curate.memory import VARIABLES


@pytest.mark.parametrize(
    ("name", "workers", "address", "said"),
    [
        ("local", None, "10.0.0.1:6379", "add --executor ray"),
        ("ray", 2, "10.0.0.1:6379", "brings its own workers"),
    ],
)
def test_contradictions(name: str, workers: int | None, address: str | None, said: str) -> None:
    """An address without Ray, and workers for a cluster, are refused."""
    with pytest.raises(click.UsageError, match=said), executing(name, workers, address):
        pass


def test_names(tmp_path: Path) -> None:
    """Each name gives its executor."""
    with executing("serial", None, None) as serial, executing("local", 2, None) as local:
        assert isinstance(serial(tmp_path), SerialExecutor)
        assert isinstance(local(tmp_path), LocalExecutor)


def test_libraries_of_a_worker_use_one_thread() -> None:
    """A process that is one of the workers caps its libraries before they are imported, unless told otherwise."""
    code = (
        "import os, sys\n"
        "from curate.cli.executing import executing\n"
        "assert 'polars' not in sys.modules\n"
        "with executing('local', 1, None):\n"
        "    import polars\n"
        "    print(polars.thread_pool_size(), os.environ['RAYON_NUM_THREADS'])\n"
    )
    env = {name: value for name, value in os.environ.items() if name not in THREAD_LIMITS}
    env["RAYON_NUM_THREADS"] = "3"
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "3"]


def test_libraries_keep_their_memory() -> None:
    """Arrow takes its memory from where the rest of the process does, unless told otherwise."""
    code = (
        "from curate.cli.executing import executing\n"
        "with executing('local', 1, None):\n"
        "    import pyarrow\n"
        "    print(pyarrow.default_memory_pool().backend_name)\n"
    )
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    for chosen, expected in (({}, "system"), ({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, "mimalloc")):
        found = subprocess.run(
            [sys.executable, "-c", code], env=env | chosen, capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == expected


def test_ray_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Ray is not installed, asking for it says how to get it."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2])])
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with (
        pytest.raises(CurateError, match=r"Ray, which is not installed: pip install 'curate-train\[ray\]'"),
        executing("ray", None, None) as ray,
    ):
        ray(tmp_path)


def test_workers_import_what_the_recipe_speaks_of(tmp_path: Path) -> None:
    """What every run needs comes first; a recipe that can't be read is not their affair; all modules exist."""
    recipe = tmp_path / "recipe.yaml"
    assert preloaded(None) == preloaded(recipe) == PRELOADED
    recipe.write_text("stages: [exact_dedup, minhash_dedup]\ntokenizer: gpt2\n")
    found = preloaded(recipe)
    assert found[:2] == PRELOADED
    assert sorted(found) == sorted({*PRELOADED, *(name for names in PRELOADED_FOR.values() for name in names)})
    assert all(find_spec(name) for name in found)
