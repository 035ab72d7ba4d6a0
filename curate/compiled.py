"""numba's `njit` without what takes long at the first call of a loop that is compiled already.

Before it loads a compiled loop numba reads everything it can translate, which a loop that is translated is in no need
of: a third of a second in every process. Only what a loop calls while it runs is set up here. To compile, numba also
looks for BLAS, by importing `scipy.linalg`: a quarter of a second, for nothing that a loop here calls. What does need
it (`np.dot` in somebody's own loop) looks again when it is compiled, and finds it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.runtime.nrt import rtsys

__all__ = ["njit"]

_LOOKS, _SOUGHT = "numba.np.arraymath", "scipy.linalg"
"""The module that looks when it is imported, and for what."""


def njit(function: Callable[..., Any] | None = None, *, cache: bool = False, **options: Any) -> Any:
    """Compiles like `numba.njit`, as a decorator with or without options.

    Raises:
        RuntimeError: for ``cache`` when there is no folder to keep compiled code in.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        loop = numba.njit(**options)(function)
        if not cache:
            _look_in_vain()
        elif hasattr(loop, "py_func"):  # else NUMBA_DISABLE_JIT is set
            loop._cache = _Kept(loop.py_func)  # type: ignore[no-untyped-call]
        return loop

    return compiled if function is None else compiled(function)


class _Kept(FunctionCache):
    """Compiled code on disk, loaded alone."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Returns the code compiled for a signature, or None when there is none and numba has to compile."""
        with _blas_hidden():  # what was compiled may name the module that looks for it
            rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                if (found := self._load_overload(sig, target_context)) is not None:  # type: ignore[no-untyped-call]
                    return found
        _look_in_vain()
        return None


def _look_in_vain() -> None:
    """Has numba look for BLAS while there seems to be none."""
    with _blas_hidden():
        import_module(_LOOKS)


@contextmanager
def _blas_hidden() -> Iterator[None]:
    """Hides BLAS from the module that looks for it, unless either is loaded already."""
    if _SOUGHT in sys.modules or _LOOKS in sys.modules:
        yield
        return
    sys.modules[_SOUGHT] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_SOUGHT]
