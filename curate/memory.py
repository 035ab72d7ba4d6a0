"""Freed memory kept for the next part of the data: given back and asked for anew, page by page, it costs more than the work.

Arrow, polars and the C library each hand out memory, and each has a way of its own to be told.
"""

from __future__ import annotations

import ctypes

VARIABLES = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1,background_thread:false",
}
"""What Arrow and polars read when they are imported."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of parameters in glibc's ``malloc.h``."""
_NEVER, _MOST = (1 << 31) - 1, 32 << 20
"""No piece is given back; and the largest that glibc before 2.35 can be told to keep."""


def keep_freed_memory() -> None:
    """Has the C library keep what this process frees, also of large pieces, where it can be told to (glibc)."""
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None and any(tell(_MMAP_THRESHOLD, most) for most in (_NEVER, _MOST)):
        tell(_TRIM_THRESHOLD, _NEVER)
