"""The compiled loops of the repetition rules: lines, paragraphs and n-grams of many texts, straight from UTF-8 bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit
from curate.utf8 import code_point

Array = np.ndarray[Any, Any]

MEASURES = (
    "lines",
    "line_chars",
    "paragraphs",
    "paragraph_chars",
    "top_2",
    "top_3",
    "top_4",
    "dup_5",
    "dup_6",
    "dup_7",
    "dup_8",
    "dup_9",
    "dup_10",
)
"""What ``measure`` returns for each text, in order."""

_BASIS = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_RADIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


@njit(cache=True, nogil=True)
def _slot(table: Array, stamps: Array, stamp: int, mask: int, value: np.uint64) -> Any:
    """Returns the place of a value in an open-addressed table, claimed (count 0) when it is new to this stamp."""
    at = np.int64(((value * _MIX) >> _HALF) & np.uint64(mask))
    while stamps[at, 0] == stamp and table[at] != value:
        at = (at + 1) & mask
    if stamps[at, 0] != stamp:
        table[at] = value
        stamps[at, 0], stamps[at, 1], stamps[at, 2] = stamp, 0, -1
    return at


@njit(cache=True, nogil=True)
def _kind(code: int) -> int:
    """Returns 2 for a character that is a unit by itself (Han, kana), 1 for one inside a word, 0 for the rest."""
    if code < 0x80:
        return 1 if (48 <= code <= 57) or (65 <= code <= 90) or (97 <= code <= 122) or code == 95 else 0
    if (0x3400 <= code <= 0x9FFF) or (0x3041 <= code <= 0x30FF) or (0xF900 <= code <= 0xFAFF) or code >= 0x20000:
        return 2
    wide_form = 0xFF00 <= code <= 0xFF0F or 0xFF1A <= code <= 0xFF20 or 0xFF3B <= code <= 0xFF40
    mark = code < 0xC0 or code in (0xD7, 0xF7) or 0x2000 <= code <= 0x2BFF or 0x3000 <= code <= 0x3040
    return 0 if mark or wide_form or 0xFE10 <= code <= 0xFE6F or 0xFF5B <= code <= 0xFF65 else 1


@njit(cache=True, nogil=True)
def _split_units(data: Array, start: int, end: int, units: Array, chars: Array) -> tuple[int, int]:
    """Fills the hash and the length of each unit; returns how many units, and how many are single characters."""
    count, single, inside, at = 0, 0, False, start
    while at < end:
        code, size = code_point(data, at)
        kind = _kind(code)
        if kind == 1:
            lower = code + 32 if 65 <= code <= 90 else code
            if not inside:
                units[count], chars[count] = _BASIS, 0
                count += 1
            units[count - 1] = (units[count - 1] ^ np.uint64(lower)) * _PRIME
            chars[count - 1] += 1
        elif kind == 2:
            units[count], chars[count] = (_BASIS ^ np.uint64(code)) * _PRIME, 1
            count += 1
            single += 1
        inside = kind == 1
        at += size
    return count, single


@njit(cache=True, nogil=True)
def _repeated_blocks(
    data: Array, start: int, end: int, gap: int, table: Array, stamps: Array, stamp: int, mask: int, out: Array
) -> None:
    """Writes the share of repeated blocks (cut at ``gap`` line breaks or more) and of their characters."""
    blocks, repeated, chars, repeated_chars = 0, 0, 0, 0
    at = start
    while at < end:
        value, size, breaks, pending = _BASIS, 0, 0, False
        while at < end:
            byte = data[at]
            at += 1
            if byte == 10:
                breaks += 1
                pending = True
                if breaks >= gap and size:
                    break
            elif byte == 32 or byte == 9 or byte == 13:
                pending = True
            else:
                if pending and size:
                    value = (value ^ np.uint64(32)) * _PRIME
                value = (value ^ np.uint64(byte)) * _PRIME
                size += 1 if (byte & 0xC0) != 0x80 else 0
                breaks, pending = 0, False
        if size:
            blocks += 1
            chars += size
            slot = _slot(table, stamps, stamp, mask, value)
            if stamps[slot, 1]:
                repeated += 1
                repeated_chars += size
            stamps[slot, 1] = 1
    if blocks:
        out[0], out[1] = repeated / blocks, repeated_chars / chars


@njit(cache=True, nogil=True)
def _window_hashes(units: Array, count: int, width: int, hashes: Array) -> int:
    """Fills the rolling hash of every window of ``width`` units; returns how many windows."""
    if count < width:
        return 0
    power, value = np.uint64(1), np.uint64(0)
    for i in range(width):
        value = value * _RADIX + units[i]
        power = power * _RADIX
    hashes[0] = value
    for i in range(width, count):
        value = value * _RADIX + units[i] - units[i - width] * power
        hashes[i - width + 1] = value
    return count - width + 1


@njit(cache=True, nogil=True)
def _top_share(
    hashes: Array, windows: int, width: int, ends: Array, table: Array, stamps: Array, stamp: int, mask: int
) -> float:
    """Returns the share of characters in the most frequent window, counted without overlap; 0 when none repeats."""
    most, best = 1, 0
    for i in range(windows):
        slot = _slot(table, stamps, stamp, mask, hashes[i])
        if stamps[slot, 2] < 0 or i >= stamps[slot, 2] + width:
            stamps[slot, 1] += 1
            stamps[slot, 2] = i
            chars = stamps[slot, 1] * (ends[i + width] - ends[i])
            if stamps[slot, 1] > most or (stamps[slot, 1] == most and most > 1 and chars > best):
                most, best = stamps[slot, 1], chars
    return best / ends[windows + width - 1] if windows else 0.0


@njit(cache=True, nogil=True)
def _repeated_share(
    hashes: Array, windows: int, width: int, ends: Array, table: Array, stamps: Array, stamp: int, mask: int
) -> float:
    """Returns the share of characters in windows that came before, no character counted twice."""
    repeated, at = 0, 0
    while at < windows:
        slot = _slot(table, stamps, stamp, mask, hashes[at])
        if stamps[slot, 1]:
            repeated += ends[at + width] - ends[at]
            at += width
        else:
            stamps[slot, 1] = 1
            at += 1
    return repeated / ends[windows + width - 1] if windows else 0.0


@njit(cache=True, nogil=True)
def measure(data: Array, offsets: Array, min_units: int) -> Array:
    """Returns MEASURES (n_texts x 13, Float64) of UTF-8 texts; zeros for texts of fewer than ``min_units`` units.

    ``data`` (uint8) holds the texts and ``offsets`` (int64, n_texts + 1) where each begins. A unit is a Han or kana
    character or a word; where most units are characters, n-grams are twice as wide (a Chinese word is about two).
    """
    longest = 1
    for i in range(offsets.size - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    units, hashes = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    chars, ends = np.empty(longest, np.int64), np.zeros(longest + 1, np.int64)
    size = 16
    while size < 2 * longest:
        size *= 2
    table, stamps, stamp = np.zeros(size, np.uint64), np.zeros((size, 3), np.int64), 0
    out = np.zeros((offsets.size - 1, 13))
    for i in range(offsets.size - 1):
        start, end = offsets[i], offsets[i + 1]
        count, single = _split_units(data, start, end, units, chars)
        if count < min_units or count == 0:
            continue
        mask = 16
        while mask < 2 * count + 2:
            mask *= 2
        for gap in range(1, 3):
            stamp += 1
            _repeated_blocks(data, start, end, gap, table, stamps, stamp, size - 1, out[i, 2 * gap - 2 : 2 * gap])
        for j in range(count):
            ends[j + 1] = ends[j] + chars[j]
        for n in range(2, 11):
            width = 2 * n if 2 * single > count else n
            windows = _window_hashes(units, count, width, hashes)
            stamp += 1
            if n < 5:
                out[i, n + 2] = _top_share(hashes, windows, width, ends, table, stamps, stamp, mask - 1)
            else:
                out[i, n + 2] = _repeated_share(hashes, windows, width, ends, table, stamps, stamp, mask - 1)
    return out
