"""Compiled loops come without SciPy's linear algebra, and loops of others that need BLAS still find it."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
