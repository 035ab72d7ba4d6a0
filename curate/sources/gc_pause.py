"""A pause of Python's cyclic garbage collector while a batch of records, which holds no cycles, is built.

Parsing makes hundreds of thousands of objects that stay alive until the batch ends; looking through them again and
again takes as long as parsing them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Switches the collector off inside the block, if it was on."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
