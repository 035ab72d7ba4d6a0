"""Rows export: what a recipe without a tokenizer ends with, cleaned rows as JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curate.errors import StoreError
from curate.executors import Executor
from curate.files import write_bytes
from curate.json_lines import arrow_jsonl
from curate.store import RowsView


@dataclass(frozen=True)
class _Task:
    view: RowsView
    folder: Path
    part: int


def write_rows(view: RowsView, folder: Path, executor: Executor) -> Iterator[int]:
    """Writes each part of the view as ``rows/part-00000.jsonl`` and so on, yielding after each."""
    todo = [i for i in range(len(view)) if not _path(folder, i).is_file()]
    for _ in range(len(view) - len(todo)):
        yield 1
    for _ in executor.map(_write_part, [_Task(view.some(i), folder, i) for i in todo]):
        yield 1
    lost = [i for i in todo if not _path(folder, i).is_file()]
    if lost:
        raise StoreError(
            f"{_path(folder, lost[0])} was written by a node that does not share this folder; name another"
        )


def _path(folder: Path, part: int) -> Path:
    return folder / "rows" / f"part-{part:05d}.jsonl"


def _write_part(task: _Task) -> None:
    write_bytes(_path(task.folder, task.part), arrow_jsonl(task.view.arrow(task.part)))
