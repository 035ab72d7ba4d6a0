"""What travels to workers grows with the number of parts, and not with its square."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from curate.executors.serial import SerialExecutor
from curate.run import run
from tests.curate.small import TOKENIZER, Small, chat, jsonl


class Weighing(SerialExecutor):
    """Sums the bytes of the pickled items of each function."""

    def __init__(self) -> None:
        self.bytes: dict[str, int] = {}

    def map(
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, cpus: int = 1, gpus: int = 0
    ) -> Iterator[tuple[int, Any]]:
        """Weighs and maps."""
        for item in items:
            name = f"{fn.__module__}.{fn.__name__}"
            self.bytes[name] = self.bytes.get(name, 0) + len(pickle.dumps(item))
        yield from super().map(fn, items)


def item_bytes(folder: Path, files: int) -> dict[str, int]:
    """Returns the bytes of all items of each function in a run over so many files, each a part."""
    small = Small(folder, {}, tokenizer=TOKENIZER, stages=["normalize", "minhash_dedup"])
    for i in range(files):
        jsonl(folder / "data" / f"{i:03}.jsonl", *(chat(f"question {i} {j}", f"answer {j} of {i}") for j in range(3)))
    small.recipe["sources"] = [{"name": "chats", "path": str(folder / "data")}]
    executor = Weighing()
    assert {event.kind for event in run(small.plan(), executor)} == {"begin", "advance", "end"}
    return executor.bytes


def test_items_do_not_grow_with_the_data(tmp_path: Path) -> None:
    """Forty times the parts: forty times the bytes, but for a number for each part where rows are compared."""
    few, many = (item_bytes(tmp_path / str(n), n) for n in (2, 80))
    assert few.keys() == many.keys()
    assert len(few) >= 8
    for name, size in many.items():
        assert size < 60 * few[name], name
