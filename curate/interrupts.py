"""Ctrl-C put off: code that must not be left half way (imports above all) ends before the interrupt is raised."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postponed_interrupt() -> Iterator[None]:
    """Puts Ctrl-C off to the end of the block; outside the main thread, which alone gets it, it does nothing.

    Compiled modules interrupted while they are set up may crash the process. Where Ctrl-C is ignored, as in what a
    shell runs in the background, it stays so.

    Raises:
        KeyboardInterrupt: at the end of the block, when Ctrl-C was pressed inside.
    """
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if pressed:
        raise KeyboardInterrupt
