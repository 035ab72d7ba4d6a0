"""Compiled loops come alone, without SciPy's linear algebra; loops of others that need BLAS still find it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import curate.compiled

OURS = """
import sys
import numpy as np
from curate.steps.select.loops import components

edges = np.array([0, 1]), np.array([1, 2])
print(components(*edges, 4).tolist(), "scipy.linalg" in sys.modules)
"""
OTHERS = """
import numpy as np
import numba
import curate.compiled

product = numba.njit(lambda a, b: np.dot(a, b))
print(product(np.arange(3.0), np.arange(3.0)))
"""


@pytest.mark.parametrize(("program", "said"), [(OURS, "[0, 0, 0, 3] False"), (OTHERS, "5.0")])
def test_blas_is_looked_for_where_it_is_needed(program: str, said: str) -> None:
    """Each in a process of its own, where nothing is loaded yet."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == (said, 0), done.stderr


LOOP = """
import sys
import numpy as np
from curate.compiled import njit


@njit(cache=True)
def sums(numbers):
    return np.cumsum(numbers)[-1], numbers.max()


if __name__ == "__main__":
    from loop import sums

    print(sums(np.arange(5)), "numba.cpython.printimpl" in sys.modules, "scipy.linalg" in sys.modules)
"""


def test_a_loop_that_is_compiled_is_loaded_without_what_compiles(tmp_path: Path) -> None:
    """The first process compiles and keeps, the second loads what is kept and gives the same; none looks for BLAS."""
    (tmp_path / "loop.py").write_text(LOOP)
    root = str(Path(curate.compiled.__file__).parents[1])
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": root}
    command = [sys.executable, str(tmp_path / "loop.py")]
    said = [subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout for _ in range(2)]
    assert said == ["(10, 4) True False\n", "(10, 4) False False\n"]
