"""Rendered conversations as flat text segments that are trained or not, and their labels.

The whole rendering tokenized as one string is the truth. Where each id stands for a constant number of bytes (byte-level
BPE) their running sum says where every token lies. Else, where the segments' tokens, put together, equal the whole, they
say which token is trained, and elsewhere the reference tokenizer's offsets do. A token that straddles two segments is not
trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.tokens import Tokenizer, TokenLists

Bools = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Segments:
    """Texts of many rows in one array: row r owns segments ``starts[r]:starts[r + 1]``; ``trained`` by segment."""

    texts: pa.LargeStringArray
    trained: Bools
    starts: Positions

    def whole(self) -> pa.LargeStringArray:
        """Returns the whole text of each row, sharing the segments' bytes."""
        return cut_strings(self.texts, _offsets(self.texts)[self.starts])

    def merged(self) -> Segments:
        """Returns the same without empty segments, neighbours trained alike made one, sharing the bytes."""
        offsets = _offsets(self.texts)
        keep = np.diff(offsets) > 0
        filled = np.flatnonzero(keep)
        row_of = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))[filled]
        trained = self.trained[filled]
        keep[filled[1:]] = (trained[1:] != trained[:-1]) | (row_of[1:] != row_of[:-1])
        kept = np.flatnonzero(keep)
        texts = cut_strings(self.texts, np.append(offsets[kept], offsets[-1]))
        before = np.append(0, np.cumsum(keep))
        return Segments(texts, self.trained[kept], before[self.starts].astype(np.int64))


@dataclass(frozen=True, eq=False)
class Labelled:
    """Tokens of many rows, which of them are trained, and how many rows and tokens took the careful way."""

    tokens: TokenLists
    trained: Bools
    by_offsets: int
    straddling: int


def cut_strings(texts: pa.LargeStringArray, offsets: Positions) -> pa.LargeStringArray:
    """Returns the same bytes cut elsewhere; the offsets must fall on character boundaries."""
    buffer = pa.py_buffer(np.ascontiguousarray(offsets, np.int64))
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, buffer, texts.buffers()[2] or pa.py_buffer(b""))


def _offsets(texts: pa.LargeStringArray) -> Positions:
    buffer = texts.buffers()[1]
    if buffer is None or not len(texts):
        return np.zeros(1, np.int64)
    return np.frombuffer(buffer, np.int64)[texts.offset : texts.offset + len(texts) + 1]


def label(segments: Segments, tokenizer: Tokenizer) -> Labelled:
    """Returns the tokens of each row's whole text and which of them are trained."""
    texts = segments.whole()
    whole = tokenizer.encode(texts)
    widths = tokenizer.widths_for(texts)
    located = _by_widths(segments, texts, whole, widths) if widths is not None else None
    return _by_parts(segments, texts, whole, tokenizer) if located is None else located


def _by_widths(
    segments: Segments, texts: pa.LargeStringArray, whole: TokenLists, widths: npt.NDArray[np.int32]
) -> Labelled | None:
    """Labels tokens by the bytes they stand for; None when these do not add up to each row's text."""
    if not len(whole.ids):
        return None
    bytes_of_rows = _offsets(texts)
    places = _places(widths[whole.ids])
    if not np.array_equal(places[whole.offsets], bytes_of_rows - bytes_of_rows[0]):
        return None
    edges = (_offsets(segments.texts) - bytes_of_rows[0]).astype(places.dtype)
    after = np.searchsorted(places[1:], edges, side="right")
    after[-1] = len(whole.ids)
    trained = np.repeat(segments.trained, np.diff(after))
    cut = np.flatnonzero(places[after] != edges)
    left, right = segments.trained[np.maximum(cut - 1, 0)], segments.trained[np.minimum(cut, len(segments.trained) - 1)]
    straddling = np.unique(after[cut][left != right])
    trained[straddling] = False
    rows = np.unique(np.searchsorted(whole.offsets, straddling, side="right"))
    return Labelled(whole, trained, len(rows), len(straddling))


def _places(widths: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
    """Returns the byte at which each token begins, and the end of the last; in 32 bits where they do, at half the cost."""
    short = len(widths) * int(widths.max()) < 1 << 31
    places = np.zeros(len(widths) + 1, np.int32 if short else np.int64)
    np.cumsum(widths, out=places[1:])
    return places


def _by_parts(segments: Segments, texts: pa.LargeStringArray, whole: TokenLists, tokenizer: Tokenizer) -> Labelled:
    """Labels tokens by tokenizing the segments apart, rows where that differs by the reference's offsets."""
    parts = tokenizer.encode(segments.texts)
    part_rows = parts.offsets[segments.starts]
    token_trained = np.repeat(segments.trained, parts.lengths())
    wrong = _unequal(whole, TokenLists(parts.ids, part_rows))
    if not wrong.any():
        return Labelled(whole, token_trained, 0, 0)
    trained = np.zeros(len(whole.ids), np.bool_)
    right = np.flatnonzero(~wrong)
    at, of = spread(whole.offsets, right), spread(part_rows, right)
    trained[at] = token_trained[of]
    straddling = 0
    for row in np.flatnonzero(wrong):
        low, high = segments.starts[row], segments.starts[row + 1]
        lengths = [len(text) for text in segments.texts[low:high].to_pylist()]
        by_offsets, crossed, ids = _by_offsets(tokenizer, texts[row].as_py(), lengths, segments.trained[low:high])
        if not np.array_equal(ids, whole[int(row)]):
            tokenizer.distrust()
            return label(segments, tokenizer)
        trained[whole.offsets[row] : whole.offsets[row + 1]] = by_offsets
        straddling += crossed
    return Labelled(whole, trained, int(wrong.sum()), straddling)


def _unequal(a: TokenLists, b: TokenLists) -> Bools:
    """Says for each row whether the two token lists differ."""
    wrong = a.lengths() != b.lengths()
    right = np.flatnonzero(~wrong)
    everything = len(right) == len(a)
    left_ids = a.ids if everything else a.ids[spread(a.offsets, right)]
    right_ids = b.ids if everything else b.ids[spread(b.offsets, right)]
    differing = np.flatnonzero(left_ids != right_ids)
    ends = np.cumsum(a.lengths()[right])
    wrong[right[np.searchsorted(ends, differing, "right")]] = True
    return wrong


def spread(offsets: Positions, rows: Positions) -> Positions:
    """Returns the flat positions of the given rows of a ragged array, one row after another."""
    lengths = offsets[rows + 1] - offsets[rows]
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(offsets[rows] - (ends - lengths), lengths)


def _by_offsets(
    tokenizer: Tokenizer, text: str, lengths: list[int], trained: Bools
) -> tuple[Bools, int, npt.NDArray[np.int32]]:
    """Returns which tokens of one text lie wholly in trained segments, how many straddle an edge, and the ids."""
    ids, spans = tokenizer.encode_with_offsets(text)
    if not len(ids):
        return np.zeros(0, np.bool_), 0, ids
    edges = np.cumsum(lengths)
    start, end = spans[:, 0], spans[:, 1]
    last = len(lengths) - 1
    first_segment = np.minimum(np.searchsorted(edges, start, "right"), last)
    last_segment = np.minimum(np.searchsorted(edges, np.maximum(end - 1, start), "right"), last)
    whole = first_segment == last_segment
    crossed = ~whole & (trained[first_segment] | trained[last_segment])
    return whole & trained[first_segment], int(crossed.sum()), ids
