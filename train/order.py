"""The reading order: which sequences a batch holds, as a pure function of the optimizer step.

The first pass reads the sequences as written, so every prefix of it is on-mix; each later pass permutes the segments
and the rows inside them, seeded. A batch is a plain slice of that stream, cut once for all processes, so its content
does not depend on how many there are; resuming or seeking is arithmetic. The only state of a run is the skip list.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from curate.fingerprint import canonical_json, key_of, no_files

SEGMENT_ROWS = 65536
FILLER = -1  # a place after the last pass: computed with nothing to learn, so every process has equal work

Rows = npt.NDArray[np.int64]
Span = tuple[int, int]


@dataclass(frozen=True)
class Plan:
    """Batches of `batch` sequences over `passes` of `segments`; `skip` lists spans of batches left out.

    `data` is the hash of the shards' manifest. `wanted` is the number of sequences to read in all (places after it
    are filler), or None to go on for as long as asked.
    """

    segments: tuple[int, ...]
    batch: int
    seed: int
    data: str
    wanted: int | None = None
    skip: tuple[Span, ...] = ()

    @cached_property
    def rows(self) -> int:
        """Sequences in one pass."""
        return sum(self.segments)

    @cached_property
    def hash(self) -> str:
        """The key of what fixes the order: data, segments, batch and seed, but not the skip list or the length."""
        facts = {"segments": self.segments, "batch": self.batch, "seed": self.seed, "data": self.data, "version": 1}
        return key_of(canonical_json(facts, no_files))

    @property
    def steps(self) -> int:
        """Optimizer steps until the wanted sequences are read, skipped batches not counted.

        Raises:
            ValueError: the plan has no end.
        """
        if self.wanted is None:
            raise ValueError("a plan without an end has no number of steps")
        batches = -(-self.wanted // self.batch)
        return batches - sum(min(last, batches) - min(first, batches) for first, last in self.skip)

    def batch_of_step(self, step: int) -> int:
        """Returns the batch read at an optimizer step, counted from 0."""
        for first, last in self.skip:
            if step < first:
                break
            step += last - first
        return step

    def rows_of_step(self, step: int) -> Rows:
        """Returns the sequences of an optimizer step, int64[batch], `FILLER` past the end."""
        return self.rows_of_batch(self.batch_of_step(step))

    def rows_of_batch(self, batch: int) -> Rows:
        """Returns the sequences of a batch of the order, int64[batch], `FILLER` past the end."""
        places = np.arange(batch * self.batch, (batch + 1) * self.batch, dtype=np.int64)
        rows = np.full(self.batch, FILLER, dtype=np.int64)
        live = places < self.wanted if self.wanted is not None else np.ones(self.batch, dtype=bool)
        passes = places // self.rows
        for number in np.unique(passes[live]):
            mask = live & (passes == number)
            rows[mask] = self._permuted(int(number), places[mask] % self.rows)
        return rows

    def spans_before(self, step: int) -> tuple[Span, ...]:
        """Returns the skipped spans a run has already passed when it stands before `step`."""
        return tuple(span for span in self.skip if span[0] < self.batch_of_step(step - 1)) if step else ()

    def _permuted(self, number: int, offsets: Rows) -> Rows:
        if number == 0:
            return offsets
        order = _permutation(self.seed, (number, 1), len(self.segments))
        ends = np.cumsum(np.asarray(self.segments, dtype=np.int64)[order])
        starts = np.cumsum((0, *self.segments), dtype=np.int64)
        where = np.searchsorted(ends, offsets, side="right")
        rows = np.empty_like(offsets)
        for slot in np.unique(where):
            segment, mask = int(order[slot]), where == slot
            inside = offsets[mask] - (ends[slot] - self.segments[segment])
            rows[mask] = starts[segment] + _permutation(self.seed, (number, 2, segment), self.segments[segment])[inside]
        return rows


@lru_cache(maxsize=32)
def _permutation(seed: int, path: tuple[int, ...], size: int) -> Rows:
    # the legacy generator, whose stream numpy has frozen: the order outlives numpy's versions
    generator = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, *path])))
    return generator.permutation(size).astype(np.int64)


def cut_segments(shard_rows: tuple[int, ...], most: int = SEGMENT_ROWS) -> tuple[int, ...]:
    """Returns the rows of each segment: every shard file cut in pieces of at most `most` rows."""
    return tuple(min(most, rows - start) for rows in shard_rows for start in range(0, rows, most))


def batch_sequences(batch_tokens: int, tokens: int, rows: int, micro_batch: int) -> int:
    """Returns how many sequences hold about `batch_tokens` tokens, in a number that many process counts divide.

    The number is a power of two up to 8 and a multiple of 8 above, times the micro-batch, so it never depends on
    how many processes there are.
    """
    micros = batch_tokens * rows / max(tokens, 1) / micro_batch
    sizes = [1, 2, 4, 8]
    if micros >= sizes[-1]:
        return 8 * round(micros / 8) * micro_batch
    above = bisect.bisect_left(sizes, micros)
    nearest = min(sizes[max(above - 1, 0) : above + 1], key=lambda size: abs(size - micros))
    return nearest * micro_batch
