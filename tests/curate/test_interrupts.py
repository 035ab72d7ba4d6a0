"""Ctrl-C put off: it is raised at the end of the block, only where it was pressed."""

from __future__ import annotations

import signal
import threading

import pytest

from curate.interrupts import postponed_interrupt


def test_the_block_ends_before_the_interrupt() -> None:
    """What is under way is finished, then KeyboardInterrupt; the handler from before is back."""
    before = signal.getsignal(signal.SIGINT)
    done: list[str] = []

    def interrupted() -> None:
        with postponed_interrupt():
            signal.raise_signal(signal.SIGINT)
            done.append("block")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["block"]
    assert signal.getsignal(signal.SIGINT) is before


def test_blocks_nest_and_without_ctrl_c_nothing_is_raised() -> None:
    """The outer block hears of what the inner one noted."""
    with postponed_interrupt(), postponed_interrupt():
        pass
    with pytest.raises(KeyboardInterrupt), postponed_interrupt(), postponed_interrupt():
        signal.raise_signal(signal.SIGINT)


def test_an_error_of_the_block_stays_the_error() -> None:
    """The block's own exception is not hidden, and the handler is put back."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="own"), postponed_interrupt():
        raise ValueError("own")
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_leaves_the_handler_alone() -> None:
    """Only the main thread gets Ctrl-C."""
    seen: list[bool] = []
    before = signal.getsignal(signal.SIGINT)

    def look() -> None:
        with postponed_interrupt():
            seen.append(signal.getsignal(signal.SIGINT) is before)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [True]


def test_where_ctrl_c_is_ignored_it_stays_so() -> None:
    """As in a run that a shell started in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with postponed_interrupt():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
