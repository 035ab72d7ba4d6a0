"""Freed memory is kept where the C library can be told to."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
import numpy as np
from curate.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(24 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_a_large_piece_is_had_again_without_a_fault() -> None:
    """24 MiB come from the system page by page the first time only."""

    def faults(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("keep") < 10 <= faults("leave")
