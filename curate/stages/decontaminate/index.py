"""The index of evaluation sets: which n-grams are in which part of which item.

An item has parts: each question, its choices together, each answer; a part of more than 300 words is cut in equal pieces
of about 200 words, which are parts of their own. An n-gram that stands in many items of one set is template text ("which of
the following ...") and is left out, so that it is no evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curate.stages.decontaminate.benchmark import Benchmark, Item
from curate.stages.decontaminate.grams import Grams, Lookup, grams_of, lookup_of, run_grams
from curate.stages.decontaminate.items import Benchmarks, read_benchmarks
from curate.stages.decontaminate.units import WEIGHT, Units, powers, prefix_hashes, span_hash, units_of

Array = np.ndarray[Any, Any]
QUESTION, CHOICES, ANSWER = 0, 1, 2
KIND_NAMES = ("question", "choices", "answer")
SHORT = 3
"""Weight of a short gram, two words or three characters: by these near matches are found."""
PIECE = 400
"""Weight the pieces of a long part are near to: 200 words."""
LONGEST_EXACT = 63
"""Most units of a part that is looked up as a whole."""


class Whole(NamedTuple):
    """Short questions as wholes: from the hash of all units to parts, ``parts[starts[s]:starts[s + 1]]``.

    ``lengths`` (uint64) has for each slot of the short grams a bit for each number of units of a question that begins
    with that gram.
    """

    lookup: Lookup
    starts: Array
    parts: Array
    lengths: Array


class Sizes(NamedTuple):
    """What the scan asks of each part: item, kind, number of units, weight."""

    item: Array
    kind: Array
    units: Array
    weight: Array


@dataclass(frozen=True)
class Index:
    """The evaluation sets, ready to scan rows against; ``texts`` are the parts as they stand in the files."""

    benchmarks: Benchmarks
    items: tuple[Item, ...]
    """The items that are not the same as an earlier one of their set."""
    texts: tuple[str, ...]
    starts: Array
    hashes: Array
    weights: Array
    sizes: Sizes
    long: Grams
    short: Grams
    whole: Whole
    twins: Array
    """For each part whether another item of its set asks the same, so that only the choices tell them apart."""


def index_of(against: tuple[Benchmark, ...], ngram: int, min_words: int, common: int) -> Index:
    """Returns the index of the evaluation sets, built once in a process for each state of their files.

    Raises:
        StageError: when a set can't be read.
    """
    benchmarks, state = read_benchmarks(against)
    return _cached(_Hashed(benchmarks, state), ngram, min_words, common)


@dataclass(frozen=True)
class _Hashed:
    """Benchmarks known by the state of their files, not by comparing all items."""

    benchmarks: Benchmarks
    state: object

    def __hash__(self) -> int:
        return hash(self.state)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self.state == other.state


@lru_cache(maxsize=2)
def _cached(hashed: _Hashed, ngram: int, min_words: int, common: int) -> Index:
    return build_index(hashed.benchmarks, ngram, min_words, common)


def build_index(benchmarks: Benchmarks, ngram: int, min_words: int, common: int) -> Index:
    """Returns the index: n-grams of ``ngram`` words; parts under ``min_words`` words are matched as wholes; n-grams in
    more than ``common`` items of a set are no evidence.
    """
    items = tuple(_distinct(benchmarks.items))
    schema = {"item": pl.Int64, "kind": pl.Int64, "order": pl.Int64, "text": pl.String}
    texts = pl.DataFrame(list(_texts(items)), schema=schema, orient="row")
    units = units_of(texts["text"])
    hashes, weights = units.hashes, units.weights
    runs = _runs(texts, units)
    parts = runs.group_by("part", maintain_order=True).agg(
        pl.col("item", "kind").first(),
        start=pl.col("start").first(),
        end=pl.col("end").last(),
        text=pl.col("text").str.join("\n"),
    )
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(weights, dtype=np.int64)])
    start, end = parts["start"].to_numpy(), parts["end"].to_numpy()
    item = parts["item"].to_numpy()
    sizes = Sizes(item, parts["kind"].to_numpy(), end - start, before[end] - before[start])
    names = {name: number for number, name in enumerate(benchmarks.names)}
    sets = np.array([names[one.benchmark] for one in items], np.int64)[item]
    everything = _postings(hashes, weights, runs, sizes, sets, start, WEIGHT * ngram, common)
    asked = runs.filter(pl.col("kind") == QUESTION)
    near = _postings(hashes, weights, asked, sizes, sets, start, SHORT, common)
    short, whole, twins = _wholes(hashes, weights, sizes, sets, start, end, near, before, WEIGHT * min_words)
    return Index(
        benchmarks=benchmarks,
        items=items,
        texts=tuple(parts["text"]),
        starts=start,
        hashes=hashes,
        weights=weights,
        sizes=sizes,
        long=grams_of(everything, start, before, np.empty(0, np.uint64)),
        short=short,
        whole=whole,
        twins=twins,
    )


def _distinct(items: tuple[Item, ...]) -> Iterator[Item]:
    """Yields the items without those that say the same as an earlier one, options in whatever order."""
    seen = set()
    for item in items:
        content = (item.benchmark, item.questions, tuple(sorted(item.choices)), item.answers)
        if content not in seen:
            seen.add(content)
            yield item


def _texts(items: tuple[Item, ...]) -> Iterator[tuple[int, int, int, str]]:
    """Yields item, kind, number of the part in the item, and text; the choices of an item are one part."""
    for at, item in enumerate(items):
        order = 0
        for kind, texts in ((QUESTION, item.questions), (ANSWER, item.answers)):
            for text in texts:
                yield at, kind, order, text
                order += 1
        yield from ((at, CHOICES, order, text) for text in item.choices)


def _runs(texts: pl.DataFrame, found: Units) -> pl.DataFrame:
    """Returns part, item, kind, start, end and text of each run of units, long texts cut in pieces.

    N-grams don't cross from run to run, so that shuffled options have the same ones.
    """
    weights, bounds = found.weights, found.bounds
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(weights, dtype=np.int64)])
    owner = np.repeat(np.arange(texts.height), np.diff(bounds))
    inside = before[:-1] - np.repeat(before[bounds[:-1]], np.diff(bounds))
    units = texts.select("item", "kind", "order").with_row_index("at")[owner]
    total = before[bounds[1:]] - before[bounds[:-1]]
    pieces = np.repeat(np.maximum(1, (total + PIECE // 2) // PIECE), np.diff(bounds))
    piece = inside * pieces // np.maximum(1, np.repeat(total, np.diff(bounds)))
    units = units.with_columns(piece=pl.Series(piece), unit=pl.int_range(pl.len(), dtype=pl.Int64))
    runs = units.group_by("at", "piece", maintain_order=True).agg(
        pl.col("item", "kind", "order").first(), start=pl.col("unit").min(), end=pl.col("unit").max() + 1
    )
    cut = pl.when(pl.col("kind") == CHOICES).then(0).otherwise("piece")
    part = pl.struct("item", "order", cut).rle_id().cast(pl.Int64)
    low, high = found.starts[runs["start"].to_numpy()], found.ends[runs["end"].to_numpy() - 1]
    data = found.data.tobytes()
    slices = [data[a:b].decode() for a, b in zip(low, high, strict=True)]
    return runs.with_columns(part=part, text=pl.Series(slices, dtype=pl.String))


def _postings(
    hashes: Array, weights: Array, runs: pl.DataFrame, sizes: Sizes, sets: Array, start: Array, size: int, common: int
) -> pl.DataFrame:
    """Returns part, key, begin and end of the n-grams of weight ``size``, the first of each in a part, common ones out."""
    low, high = runs["start"].to_numpy(), runs["end"].to_numpy()
    keys, firsts, lasts, run = run_grams(hashes, weights, low, high, size)
    part = runs["part"].to_numpy()[run]
    found = pl.DataFrame(
        {
            "part": part,
            "item": sizes.item[part],
            "set": sets[part],
            "key": keys,
            "begin": firsts - start[part],
            "end": lasts - start[part],
        }
    )
    found = found.unique(["part", "key"], keep="first", maintain_order=True)
    shared = found.group_by("set", "key").agg(items=pl.col("item").n_unique()).filter(pl.col("items") > common)
    own = found.join(shared, on=["set", "key"], how="anti", maintain_order="left")
    return own.select("part", "key", "begin", "end").sort("part", "begin")


def _wholes(
    hashes: Array,
    weights: Array,
    sizes: Sizes,
    sets: Array,
    start: Array,
    end: Array,
    near: pl.DataFrame,
    before: Array,
    limit: int,
) -> tuple[Grams, Whole, Array]:
    """Returns the short grams, the short questions as wholes, and which of these have a twin."""
    fit = (sizes.kind == QUESTION) & (sizes.weight < limit) & (sizes.weight >= SHORT) & (sizes.units <= LONGEST_EXACT)
    parts = np.flatnonzero(fit)
    keys = _whole_keys(hashes, start[parts], end[parts])
    opening = run_grams(hashes, weights, start[parts], end[parts], SHORT)
    first = np.unique(opening[3], return_index=True)[1]
    openings = opening[0][first]
    short = grams_of(near, start, before, openings)
    lengths = np.zeros(short.lookup.keys.size, np.uint64)
    slots = np.searchsorted(short.lookup.keys, openings)
    np.bitwise_or.at(lengths, slots, np.uint64(1) << sizes.units[parts].astype(np.uint64))
    lookup = lookup_of(keys)
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], np.append(lookup.keys, np.uint64(0)))
    starts[-1] = parts.size
    whole = Whole(lookup, starts.astype(np.int64), parts[order], lengths)
    same = pl.DataFrame({"set": sets[parts], "key": keys, "item": sizes.item[parts]})
    many = same.select(many=pl.col("item").n_unique().over("set", "key") > 1)["many"].to_numpy()
    twins = np.zeros(sizes.item.size, np.bool_)
    twins[parts[many]] = True
    return short, whole, twins


def _whole_keys(hashes: Array, starts: Array, ends: Array) -> Array:
    power = powers(LONGEST_EXACT + 1)
    found = np.empty(starts.size, np.uint64)
    for at, (low, high) in enumerate(zip(starts, ends, strict=True)):
        prefix = np.empty(high - low + 1, np.uint64)
        prefix_hashes(hashes[low:high], high - low, prefix)
        found[at] = span_hash(prefix, power, 0, high - low)
    return found
