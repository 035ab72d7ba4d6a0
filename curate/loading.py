"""Imports undisturbed: neither Ctrl-C nor the garbage collector comes between."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from curate.interrupts import postponed_interrupt

YOUNG = 20_000
"""Objects made before the collector looks at them. Rows come by the thousand and leave no cycles: the usual 700 has it
look at rows that are in use, again and again."""


@contextmanager
def loading() -> Iterator[None]:
    """Imports inside are not interrupted, and what they made is never looked at by the collector again.

    For programs of our own, which import once and then work: the collector's looks at half a million objects that stay
    take a seventh of the start.

    Raises:
        KeyboardInterrupt: at the end of the block, when Ctrl-C was pressed inside.
    """
    gc.disable()
    try:
        with postponed_interrupt():
            yield
    finally:
        gc.freeze()
        gc.set_threshold(YOUNG, 20, 20)
        gc.enable()
