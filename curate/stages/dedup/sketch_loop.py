"""The compiled loops of MinHash: signatures, band keys and bits of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit
from curate.stages.dedup.shingle_loop import K1, K2, K3, mixed, room, row_shingles, strip

Array = np.ndarray[Any, Any]

_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE, _32 = np.uint64(1), np.uint64(32)


@njit(cache=True, nogil=True, inline="always")
def _stirred(word: Any) -> Any:
    """Mixes 32 bits, one to one (the finalizer of MurmurHash3, Appleby 2011); numba's integers widen if they are let."""
    word = np.uint32(np.uint32(word ^ (word >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    word = np.uint32(np.uint32(word ^ (word >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(word ^ (word >> np.uint32(16)))


@njit(cache=True, nogil=True)
def _sign(shingles: Array, count: int, signature: Array, words: Array) -> None:
    """Writes a MinHash signature by rounds of one-permutation hashing (Dahlgaard et al., FOCS 2017, section 2.1).

    In round i every shingle is thrown into a random bin with a value in [i, i + 1); a bin keeps its least. When an
    eighth of the bins or fewer are empty, these take the value of another one (Shrivastava, ICML 2017). So a long row
    costs one pass, and in a short one hardly two bins depend on each other.
    """
    bins = signature.size
    signature[:] = _EMPTY
    empty, turn = bins, 0
    while empty > bins >> 3:
        salt, high = np.uint32((np.uint64(turn + 1) * K3) >> _32), np.uint64(turn) << _32
        for at in range(count):  # no memory is written twice, so many at once
            words[at] = _stirred(np.uint32(shingles[at] ^ salt))
        for at in range(count):
            word = np.uint64(words[at])
            slot = (word * np.uint64(bins)) >> _32
            signature[slot] = min(signature[slot], high | word)  # no branch: it would be guessed wrong
        empty = 0
        for place in range(bins):
            empty += signature[place] == _EMPTY
        turn += 1
    if empty:
        _lend(signature)


@njit(cache=True, nogil=True)
def _lend(signature: Array) -> None:
    """Gives every empty bin the value of the first filled one on its own random walk over the bins."""
    bins = signature.size
    filled = signature != _EMPTY
    for place in range(bins):
        step = np.uint64(place + 1) * K1
        other = np.int64(place)
        while not filled[other]:
            step = mixed(step + K3)
            other = np.int64(((step >> _32) * np.uint64(bins)) >> _32)
        signature[place] = signature[other]


@njit(cache=True, nogil=True)
def _band_keys(signature: Array, rows: int, salt: int, keys: Array) -> None:
    for band in range(keys.size):
        keys[band] = np.uint64(band + 1) * K3 + np.uint64(salt) * K1
    for k in range(rows):
        for band in range(keys.size):  # no band waits for another, so many at once
            keys[band] = mixed(keys[band] ^ signature[band * rows + k]) + K3


@njit(cache=True, nogil=True)
def _gather_bits(signature: Array, bits: Array) -> None:
    """Sets the lowest bits of the first MinHashes in words (uint64, zeros)."""
    for place in range(64 * bits.size):
        bits[place >> 6] |= (signature[place] & _ONE) << np.uint64(place & 63)


@njit(cache=True, nogil=True)
def sketch_rows(
    data: Array, starts: Array, ends: Array, turns: Array, bounds: Array, salts: Array,
    whole: bool, becomes: Array, scaffold: Any, bands: int, rows: int, words: int,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Returns for each row its digest (uint64[n, 2]), band keys (uint64[n, bands]), bits (uint64[n, words], the lowest
    of the first 64 * words MinHashes) and number of shingles (int64).

    Row r has the pieces ``bounds[r]:bounds[r + 1]``, bytes ``starts:ends`` of ``data`` each; pieces of one turn have
    one number in ``turns``. ``salts`` keep rows apart that are never compared. ``scaffold`` is a sorted uint32 array
    and bool[8192] of their low 13 bits. With ``whole`` the set of a row is its turns.
    """
    count = bounds.size - 1
    digests, keys = np.zeros((count, 2), np.uint64), np.zeros((count, bands), np.uint64)
    bits, sizes = np.zeros((count, words), np.uint64), np.zeros(count, np.int64)
    work = room(starts, ends, bounds)
    _, _, stirred, shingles, digest = work
    signature = np.empty(max(64 * words, bands * rows), np.uint64)
    for row in range(count):
        found = row_shingles(data, starts, ends, turns, bounds[row], bounds[row + 1], whole, becomes, work)
        sizes[row] = found
        if not found:
            continue
        digests[row, 0] = mixed(digest[0] + np.uint64(salts[row]) * K2)
        digests[row, 1] = mixed(digest[1] ^ np.uint64(found))
        left = strip(shingles, found, scaffold[0], scaffold[1])
        _sign(shingles, left, signature, stirred)
        _band_keys(signature, rows, salts[row], keys[row])
        _gather_bits(signature, bits[row])
    return digests, keys, bits, sizes


@njit(cache=True, nogil=True)
def sketch_sets(
    values: Array, offsets: Array, salts: Array, scaffold: Any, bands: int, rows: int, words: int
) -> tuple[Array, Array]:
    """Returns band keys and bits, as ``sketch_rows`` does, of rows given as sets of all their shingles."""
    count = offsets.size - 1
    keys, bits = np.zeros((count, bands), np.uint64), np.zeros((count, words), np.uint64)
    signature = np.empty(max(64 * words, bands * rows), np.uint64)
    stirred = np.empty(values.size, np.uint32)
    for row in range(count):
        shingles = values[offsets[row] : offsets[row + 1]].copy()
        left = strip(shingles, shingles.size, scaffold[0], scaffold[1])
        _sign(shingles, left, signature, stirred)
        _band_keys(signature, rows, salts[row], keys[row])
        _gather_bits(signature, bits[row])
    return keys, bits
