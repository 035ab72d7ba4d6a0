"""The serial executor: everything in this process, one item after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any


class SerialExecutor:
    """Runs items one by one in this process."""

    def map(
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, cpus: int = 1, gpus: int = 0
    ) -> Iterator[tuple[int, Any]]:
        """Yields (index, result) in order."""
        for index, item in enumerate(items):
            yield index, fn(item)

    def close(self) -> None:
        """Does nothing: there is nothing to give back."""
