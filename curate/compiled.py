"""numba's `njit` without the import of SciPy's linear algebra at its first call.

numba looks for BLAS then, by importing `scipy.linalg`: a quarter of a second in every process, for nothing that a loop
here calls. What does need it (`np.dot` in somebody's own loop) looks again when it is compiled, and finds it.
"""

from __future__ import annotations

import sys
from importlib import import_module

from numba import njit

__all__ = ["njit"]

_LOOKS, _SOUGHT = "numba.np.arraymath", "scipy.linalg"
"""The module that looks when it is imported, and for what."""


def _look_in_vain() -> None:
    """Has numba look for BLAS while there seems to be none, unless either is loaded already."""
    if _SOUGHT in sys.modules or _LOOKS in sys.modules:
        return
    sys.modules[_SOUGHT] = None  # type: ignore[assignment]
    try:
        import_module(_LOOKS)
    finally:
        del sys.modules[_SOUGHT]


_look_in_vain()
