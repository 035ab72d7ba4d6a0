"""The self-test of decontamination: items planted in clean rows in ten disguises, and rows that only look alike.

items ─► planted in clean rows, each in a disguise ─► found?            recall by disguise and language
clean rows as they are ─► flagged?                                      false positives
half of the items ─► the other half, unlike ones ─► flagged?            false positives on hard negatives
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from random import Random

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process

from curate.disguises import DISGUISES, asked, has_han, other_numbers
from curate.errors import SourceError
from curate.rows import MESSAGE, ROW_SCHEMA, conform, turns
from curate.sources import SourceSpec, detect, read, resolve, units
from curate.stages.decontaminate.benchmark import Item
from curate.stages.decontaminate.decontaminate import Decontaminate, DecontaminateScore
from curate.stages.decontaminate.index import Index, build_index
from curate.stages.decontaminate.items import Benchmarks, read_benchmarks

MOST_ITEMS = 300
"""Items planted: spread evenly over all of the sets."""
_ALIKE = 75
"""Partial ratio from which two questions belong together, so that one is no negative for the other."""
_HOSTS = 2000
_SEED = "curate decontaminate --self-test"


@dataclass(frozen=True)
class Count:
    """How many of how many."""

    hit: int
    of: int


@dataclass
class SelfTest:
    """The result: recall by disguise and language, and flagged rows of each kind of negative, with examples."""

    items: int
    recall: dict[str, dict[str, Count]] = field(default_factory=dict)
    flagged: dict[str, Count] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


def self_test(stage: Decontaminate, rows: Sequence[str]) -> SelfTest:
    """Returns how well the stage finds its own items in the rows of some files, and how often it errs.

    Raises:
        StageError: when an evaluation set can't be read.
        SourceError: when the files hold no row.
    """
    everything, _ = read_benchmarks(stage.against)
    benchmarks = _some(everything)
    score = stage.parts()[0]
    assert isinstance(score, DecontaminateScore)
    index = _index(stage, benchmarks)
    clean = pl.concat([_read(path) for path in rows])
    flags = _flagged(score, index, clean, stage.threshold)
    hosts = _hosts(clean.filter(~flags))
    result = SelfTest(len(benchmarks.items))
    for name, disguise in DISGUISES.items():
        planted = [
            (item, disguise(item, host, _random(name, item))) for item, host in zip(benchmarks.items, cycle(hosts))
        ]
        result.recall[name] = _recall(
            score, index, name, [(i, t) for i, t in planted if t], stage.threshold, result.missed
        )
    result.flagged["the rows as they are"] = Count(int(flags.sum()), clean.height)
    result.examples += _told(score, index, clean.filter(flags))
    _negatives(stage, score, benchmarks, result)
    return result


def _index(stage: Decontaminate, benchmarks: Benchmarks) -> Index:
    return build_index(benchmarks, stage.ngram, stage.min_words, stage.common)


def _some(benchmarks: Benchmarks) -> Benchmarks:
    number = len(benchmarks.items)
    at = np.unique(np.linspace(0, number - 1, min(number, MOST_ITEMS)).astype(np.int64))
    return Benchmarks(benchmarks.names, tuple(benchmarks.items[i] for i in at), benchmarks.unreadable)


def _random(name: str, item: Item) -> Random:
    return Random(f"{_SEED} {name} {item.id}")


def _read(path: str) -> pl.DataFrame:
    spec = SourceSpec.model_validate({"name": "rows", "path": path})
    files = resolve(spec)
    shape = detect(spec, files)
    if shape.format == "utterances":
        raise SourceError(f"{path}: a table of utterances holds no rows by itself; give files of chats or documents")
    found = [batch.rows for unit in units(spec, files) for batch in read(spec, shape, unit)]
    if not sum(frame.height for frame in found):
        raise SourceError(f"{path}: holds no row; give files of clean rows as `--rows`")
    return pl.concat(found).with_columns(id="content_hash", group="content_hash").drop("content_hash")


def _hosts(clean: pl.DataFrame) -> list[str]:
    said = turns(clean.head(_HOSTS)).filter(pl.col("role").is_in(["user", "assistant", "document"]))
    return said["text"].to_list() or ["Hello."]


def _rows(texts: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """Returns a chat row for each (role, text)."""
    blank = dict.fromkeys(MESSAGE.to_schema())
    chats = [[{**blank, "role": role, "content": text}] for role, text in texts]
    ids = [f"{number:032x}" for number in range(len(chats))]
    return conform(
        pl.DataFrame(
            {"id": ids, "group": ids, "messages": chats, "kind": ["chat"] * len(chats)},
            schema_overrides={"messages": ROW_SCHEMA["messages"]},
        )
    )


def _flagged(score: DecontaminateScore, index: Index, rows: pl.DataFrame, threshold: float) -> pl.Series:
    return score.survey_against(index, rows).scores["contamination"] >= threshold


def _recall(
    score: DecontaminateScore,
    index: Index,
    name: str,
    planted: list[tuple[Item, tuple[str, str]]],
    threshold: float,
    missed: list[str],
) -> dict[str, Count]:
    """Returns by language how many of the planted rows were found."""
    found = _flagged(score, index, _rows([row for _, row in planted]), threshold).to_list()
    counts = {}
    for language, han in (("en", False), ("zh", True)):
        mine = [hit for hit, (item, _) in zip(found, planted, strict=True) if has_han(item) == han]
        counts[language] = Count(sum(mine), len(mine))
    missed += [
        f"{name}: {item.id} as {_short(text)}" for hit, (item, (_, text)) in zip(found, planted, strict=True) if not hit
    ]
    return counts


def _negatives(stage: Decontaminate, score: DecontaminateScore, benchmarks: Benchmarks, result: SelfTest) -> None:
    """Counts flagged hard negatives: unlike items of the same sets, and the items with other numbers in them."""
    groups = _alike([asked(item) for item in benchmarks.items])
    half = groups % 2 == 0
    mine = tuple(item for item, held in zip(benchmarks.items, half, strict=True) if held)
    others = [item for item, held in zip(benchmarks.items, half, strict=True) if not held]
    if mine and others:
        index = _index(stage, Benchmarks(benchmarks.names, mine, 0))
        rows = _rows([("user", asked(item, choices=True)) for item in others])
        flags = _flagged(score, index, rows, stage.threshold)
        result.flagged["other items of the same sets"] = Count(int(flags.sum()), rows.height)
        result.examples += _told(score, index, rows.filter(flags))
    changed = [text for item in benchmarks.items if (text := other_numbers(item)) is not None]
    if changed:
        flags = _flagged(score, _index(stage, benchmarks), _rows([("user", text) for text in changed]), stage.threshold)
        result.flagged["the same items with other numbers"] = Count(int(flags.sum()), len(changed))


def _alike(questions: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Returns the number of the group of questions each belongs to: groups hold what is alike, directly or not."""
    near = process.cdist(questions, questions, scorer=fuzz.partial_ratio) >= _ALIKE
    groups = np.arange(len(questions))
    while True:
        lowest = np.where(near | near.T, groups[None, :], len(questions)).min(axis=1)
        if (lowest == groups).all():
            return np.unique(groups, return_inverse=True)[1].astype(np.int64)
        groups = lowest


def _told(score: DecontaminateScore, index: Index, rows: pl.DataFrame) -> Iterator[str]:
    yield from score.told(score.survey_against(index, rows).matches)


def _short(text: str) -> str:
    return repr(text if len(text) <= 160 else f"{text[:157]}…")


def lines(result: SelfTest, *, examples: int = 5) -> Iterator[str]:
    """Yields the result for people."""
    yield f"{result.items:,} items, each planted in a clean row in every way below; found:"
    for name, counts in result.recall.items():
        cells = "   ".join(f"{language} {_share(count)}" for language, count in counts.items() if count.of)
        yield f"  {name:34} {cells}"
    yield "flagged, though nothing was planted:"
    for name, count in result.flagged.items():
        yield f"  {name:34} {_share(count)}"
    if result.missed:
        yield "missed, for example:"
        yield from (f"  {line}" for line in result.missed[:examples])
    if result.examples:
        yield "flagged, for example:"
        yield from (f"  {line}" for line in result.examples[: 3 * examples])


def _share(count: Count) -> str:
    return f"{count.hit:,} of {count.of:,} ({count.hit / count.of:.1%})" if count.of else "none"
