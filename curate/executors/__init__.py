"""Executors: how work is mapped over items. They know nothing of stages, stores or keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol


class Executor(Protocol):
    """Maps a module-level function over small items; data goes through the store."""

    def map(
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, cpus: int = 1, gpus: int = 0
    ) -> Iterator[tuple[int, Any]]:
        """Yields (index of the item, result) in the order of completion; the first error is raised."""
        ...

    def close(self) -> None:
        """Gives back what it holds (processes); a later map starts anew."""
        ...
