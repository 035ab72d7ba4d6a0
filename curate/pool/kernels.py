"""The compiled copy of tokens and their labels out of mapped parts; numba is loaded with the first copy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from curate.shards.documents import IGNORED

Array = np.ndarray[Any, Any]


class Ragged(NamedTuple):
    """A list column: row ``r`` owns ``values[offsets[r]:offsets[r + 1]]``; of a column of bits counted in bits."""

    values: Array
    offsets: Array


@cache
def span_copier() -> Callable[[Ragged, Ragged, Array, Array, Array, Array], None]:
    """Returns the compiled form of the loop below."""
    from curate.compiled import njit

    compiled: Callable[[Ragged, Ragged, Array, Array, Array, Array], None] = njit(cache=True, nogil=True)(_copy_spans)
    return compiled


def _copy_spans(tokens: Ragged, mask: Ragged, rows: Array, places: Array, ids: Array, labels: Array) -> None:
    """Copies the tokens of each row ``rows[k]`` to ``ids[places[k]:]`` and to ``labels``, there IGNORED for a 0 bit."""
    for k in range(rows.size):
        start, end = tokens.offsets[rows[k]], tokens.offsets[rows[k] + 1]
        place, stop, bit = places[k], places[k] + end - start, mask.offsets[rows[k]]
        ids[place:stop] = tokens.values[start:end]
        labels[place:stop] = tokens.values[start:end]
        while place < stop:  # a byte of the mask at a time; most are all ones or all zeros
            first, after = bit & 7, min(place + 8 - (bit & 7), stop)
            byte = mask.values[bit >> 3]
            if byte == 0:
                labels[place:after] = IGNORED
            elif byte != 0xFF:
                for i in range(after - place):
                    if not (byte >> (first + i)) & 1:
                        labels[place + i] = IGNORED
            bit, place = bit + after - place, after


def load_span_copier() -> None:
    """Loads the compiled form for the arrays of a pool, which are mapped and read-only."""
    values, bits, offsets = np.ones(1, np.int32), np.ones(1, np.uint8), np.array([0, 1])
    for mapped in (values, bits, offsets):
        mapped.flags.writeable = False
    row, out = np.zeros(1, np.int64), np.empty((2, 1), np.int32)
    span_copier()(Ragged(values, offsets), Ragged(bits, offsets), row, row, out[0], out[1])
