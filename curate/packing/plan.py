"""The pack plan: documents of a stream assigned to sequences of one length, as indexes.

The stream is cut into consecutive windows and each is packed best-fit decreasing (Johnson et al. 1974), so the
order of the mixture survives up to a window. Inside a window the sequences stand in the order of one document each,
drawn by a fixed hash. (Ordered by their earliest document, sequences of many short documents come first and
single long ones last: with 7,000 sequences in one window an ability ran 643 sequences ahead of its share, against 26.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.errors import StoreError

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@cache
def load_kernels() -> Any:
    """Returns the module of compiled loops; numba, which takes a while to import, comes with it on first use."""
    return import_module("curate.packing.kernels")


@dataclass(frozen=True)
class PackPlan:
    """Says which documents make up each sequence; sequence ``s`` is ``order[bounds[s]:bounds[s + 1]]``."""

    order: NDArray[np.int64]
    """Positions in the stream, sequence after sequence, in stream order inside a sequence."""
    bounds: NDArray[np.int64]
    """Offsets into ``order``, one more than there are sequences."""
    ineligible: NDArray[np.int64]
    """Positions of documents longer than ``capacity``: in no sequence."""
    capacity: int
    tokens: int
    """Tokens of all planned documents."""

    def __len__(self) -> int:
        """Returns the number of sequences."""
        return self.bounds.size - 1

    @property
    def fill(self) -> float:
        """The share of ``len(self) * capacity`` places that hold a token; 1.0 of nothing."""
        return self.tokens / (len(self) * self.capacity) if len(self) else 1.0


def plan(lengths: NDArray[Any], capacity: int, window: int = 512) -> PackPlan:
    """Packs a stream of document lengths (tokens) into sequences of at most ``capacity`` tokens.

    ``window`` is the number of sequences packed together: a document is emitted in the window it stands in or
    in the next. The plan is a pure function of its arguments. Raises StoreError for an empty document.
    """
    sizes = np.ascontiguousarray(lengths, dtype=np.int64)
    if sizes.size and sizes.min() < 1:
        at = int(np.argmin(sizes))
        raise StoreError(f"document {at} of the stream has {sizes[at]} tokens; drop empty rows before packing")
    sequence_of = np.full(sizes.size, -1, dtype=np.int64)
    free = np.zeros(sizes.size, dtype=np.int64)
    window_of = np.zeros(sizes.size, dtype=np.int64)
    kernels = load_kernels()
    count = kernels.pack_windows(sizes, capacity, window * capacity, sequence_of, free, window_of)
    order, bounds = kernels.place_by_sequence(sequence_of, np.arange(count, dtype=np.int64), count)
    rank = _emission_rank(order, bounds, window_of[:count])
    order, bounds = kernels.place_by_sequence(sequence_of, rank, count)
    ineligible = np.flatnonzero(sequence_of < 0).astype(np.int64)
    return PackPlan(order, bounds, ineligible, capacity, int(sizes[order].sum()))


def _emission_rank(
    order: NDArray[np.int64], bounds: NDArray[np.int64], window_of: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Returns each sequence's place in the output: by window, then by the stream position of its drawn document."""
    documents = np.diff(bounds).astype(np.uint64)
    draw = order[bounds[:-1]].astype(np.uint64) * _GOLDEN
    draw ^= draw >> np.uint64(32)
    drawn = order[bounds[:-1] + (draw % documents).astype(np.int64)]
    rank = np.empty(window_of.size, dtype=np.int64)
    rank[np.lexsort((drawn, window_of))] = np.arange(window_of.size)
    return rank
