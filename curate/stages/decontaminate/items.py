"""Items: evaluation files read through the sources, in whatever shape they come.

This is the one place where a stage reads a source's files: an evaluation set is a parameter, named by a `FileRef`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from curate.errors import RecipeError, SourceError, StageError
from curate.sources import Shape, SourceFile, SourceSpec, detect, resolve, units
from curate.sources.reader import records_of
from curate.sources.reasons import Refusal
from curate.sources.shapes.table import converter
from curate.stages.decontaminate.benchmark import Benchmark, Item, stem
from curate.stages.decontaminate.options import choices_of, split_options

_QUESTIONS = (
    "question",
    "query",
    "problem",
    "prompt",
    "instruction",
    "turns",
    "ctx",
    "sentence",
    "goal",
    "premise",
    "statement",
    "input",
    "问题",
    "题目",
    "题干",
    "指令",
    "问",
)
_ANSWERS = (
    "solution",
    "canonical_solution",
    "answer",
    "best answer",
    "output",
    "response",
    "completion",
    "target",
    "reference",
    "code",
    "答案",
    "回答",
    "输出",
    "答",
)
_MORE = {"instruction": "input", "指令": "输入"}
"""An instruction's question goes on in this column."""


@dataclass(frozen=True)
class Benchmarks:
    """All items of the evaluation sets, and how many records could not be read."""

    names: tuple[str, ...]
    items: tuple[Item, ...]
    unreadable: int


Marks = tuple[tuple[str, int, int], ...]


def read_benchmarks(against: Sequence[Benchmark]) -> tuple[Benchmarks, object]:
    """Returns the items of the evaluation sets, and what tells this state of the sets and their files from another.

    Raises:
        StageError: for a set that is missing, can't be read, holds no question, or has another's name.
    """
    state = (tuple(b.model_dump_json() for b in against), tuple(mark for b in against for mark in _marks(b)))
    return _read_all(*state), state


def _marks(benchmark: Benchmark) -> Marks:
    """Returns what changes with the files of a set; remote ones are taken to stay while a process lives."""
    if "://" in benchmark.path:
        return ((str(benchmark.path), 0, 0),)
    stats = [(file.path, os.stat(file.path)) for file in _files(benchmark)]
    return tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)


@lru_cache(maxsize=4)
def _read_all(against: tuple[str, ...], marks: Marks) -> Benchmarks:
    """Reads the sets once for each state of their files (``marks``)."""
    items: list[Item] = []
    names: list[str] = []
    unreadable = 0
    for text in against:
        benchmark = Benchmark.model_validate_json(text)
        for name, files in _sets(benchmark):
            if name in names:
                raise StageError(
                    f"stage 'decontaminate': two evaluation sets are named {name!r}; give one of them another "
                    f"`name:` in `against:` ({benchmark.path})"
                )
            names.append(name)
            found, bad = _read_set(benchmark, name, files)
            items += found
            unreadable += bad
    return Benchmarks(tuple(names), tuple(items), unreadable)


def _sets(benchmark: Benchmark) -> Iterator[tuple[str, list[SourceFile]]]:
    files = _files(benchmark)
    if benchmark.name is not None:
        yield benchmark.name, files
    else:
        for file in files:
            yield stem(file.path), [file]


def _spec(benchmark: Benchmark) -> SourceSpec:
    return SourceSpec.model_validate({"name": benchmark.name or str(benchmark.path), "path": str(benchmark.path)})


def _files(benchmark: Benchmark) -> list[SourceFile]:
    try:
        return resolve(_spec(benchmark))
    except SourceError as error:
        reason = str(error).partition(": ")[2]
        raise StageError(f"stage 'decontaminate': `against`: {reason}") from error


def _read_set(benchmark: Benchmark, name: str, files: list[SourceFile]) -> tuple[list[Item], int]:
    spec = _spec(benchmark)
    reader: _Reader | None = None
    items: list[Item] = []
    number = bad = 0
    for unit in units(spec, files):
        for records in records_of(spec, unit):
            records.settle()
            bad += len(records.bad)
            first = next((value for value in records.values if type(value) is dict), None)
            if reader is None and first is not None:
                reader = _Reader(benchmark, name, spec, files, first)
            for value, line in zip(records.values, records.lines, strict=True):
                number += 1
                read = reader.item(value) if reader is not None and type(value) is dict else None
                if read is None:
                    bad += 1
                    continue
                questions, choices, answers = read
                own = str(value.get("id") or value.get("task_id") or "")
                items.append(
                    Item(name, number, os.path.basename(unit.file.path), line, own, questions, choices, answers)
                )
    if not items:
        raise StageError(
            f"stage 'decontaminate': the evaluation set {name!r} ({benchmark.path}) holds no question that could be "
            f"read ({bad} unreadable records); leave it out of `against:` or mend the file"
        )
    return items, bad


Texts = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class _Reader:
    """Reads the records of one evaluation set: by columns of benchmarks, or else as the sources would."""

    def __init__(
        self, benchmark: Benchmark, name: str, spec: SourceSpec, files: list[SourceFile], first: dict[str, Any]
    ) -> None:
        self.columns = benchmark.columns
        for ours, theirs in self.columns.items():
            if theirs not in first:
                raise StageError(
                    f"stage 'decontaminate': the evaluation set {name!r} ({benchmark.path}) has no column {theirs!r} "
                    f"for its {ours}; it has {', '.join(map(repr, first))}"
                )
        self.question = self.columns.get("question") or _column(first, _QUESTIONS, (str, list))
        self.answer = self.columns.get("answer") or _column(first, _ANSWERS, (str, list))
        self.more = _column(first, (_MORE.get((self.question or "").lower(), ""),), (str,))
        self.shape: Shape | None = None
        if "question" not in self.columns and not self._reads(first):
            self.question = None
            self.shape = _detected(benchmark, name, spec, files, first)
            self.convert = converter(self.shape, {})

    def _reads(self, record: dict[str, Any]) -> bool:
        """Says whether the question is text or a list of texts; turns of a dialogue are for the sources."""
        value = record.get(self.question) if self.question is not None else None
        return isinstance(value, str) or (isinstance(value, list) and all(isinstance(part, str) for part in value))

    def item(self, record: dict[str, Any]) -> Texts | None:
        """Returns the questions, choices and answers of a record, or None when there is no question."""
        return self._by_columns(record) if self.shape is None else self._by_shape(record)

    def _by_columns(self, record: dict[str, Any]) -> Texts | None:
        assert self.question is not None
        asked = list(_texts(record.get(self.question)))
        choices = choices_of(record, self.columns.get("choices"))
        if self.more is not None and isinstance(record.get(self.more), str):
            asked = ["\n".join([*asked, record[self.more]]).strip()]
        if not choices and len(asked) == 1:
            question, choices = split_options(asked[0])
            asked = [question] if question.strip() else asked
        answers = tuple(_texts(record.get(self.answer))) if self.answer is not None else ()
        return (tuple(asked), choices, answers) if asked else None

    def _by_shape(self, record: dict[str, Any]) -> Texts | None:
        try:
            content = self.convert(record)
        except Refusal:
            return None
        if "text" in content:
            return ((content["text"],), (), ()) if content["text"].strip() else None
        turns = [*content.get("messages", ()), *content.get("prompt", ())]
        turns += [*content.get("chosen", ()), *content.get("completion", ())]
        asked = tuple(t["content"] for t in turns if t["role"] == "user" and t.get("content"))
        told = tuple(t["content"] for t in turns if t["role"] == "assistant" and t.get("content"))
        if len(asked) == 1:
            question, choices = split_options(asked[0])
            return ((question,) if question.strip() else asked), choices, told
        return (asked, (), told) if asked else None


def _column(record: dict[str, Any], names: Sequence[str], types: tuple[type, ...]) -> str | None:
    lowered = {key.strip().lower(): key for key in reversed(record)}
    for name in names:
        column = lowered.get(name)
        if column is not None and isinstance(record[column], types):
            return column
    return None


def _texts(value: Any) -> Iterator[str]:
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and text.strip():
            yield text


def _detected(
    benchmark: Benchmark, name: str, spec: SourceSpec, files: list[SourceFile], first: dict[str, Any]
) -> Shape:
    try:
        shape = detect(spec, files)
    except (SourceError, RecipeError) as error:
        raise StageError(
            f"stage 'decontaminate': no question was found in the evaluation set {name!r} ({benchmark.path}); its "
            f"columns are {', '.join(map(repr, first))}. Say which holds it: "
            f"`against: [{{path: {benchmark.path}, columns: {{question: ...}}}}]`"
        ) from error
    if shape.format == "utterances":
        raise StageError(
            f"stage 'decontaminate': the evaluation set {name!r} ({benchmark.path}) is a table of utterances; say which "
            f"column is compared: `against: [{{path: {benchmark.path}, columns: {{question: {shape.columns['text']}}}}}]`"
        )
    return shape
