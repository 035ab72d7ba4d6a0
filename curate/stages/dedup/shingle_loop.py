"""The compiled loops of MinHash: folded shingles of rows, signatures, band keys and the Jaccard of sorted sets.

A shingle's length follows the script of its first character: three characters for Chinese, Japanese and Korean, five
for others. Shingles never cross turns. What no whole shingle of a turn reaches ends in one shorter shingle, so that
every character counts and a turn of two characters still has one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from curate.compiled import njit
from curate.stages.dedup.fold_loop import BLANK, table
from curate.utf8 import code_point

Array = np.ndarray[Any, Any]

CJK_SIZE, SIZE = 3, 5
LEAST_LEFT = 3
"""A row with fewer shingles outside the scaffold is compared by all it has."""

HINTS = 1 << 13
_HINTS = np.uint32(HINTS - 1)
_PLANE = 0x10000
SPACE = 32
CJK = 1 << 25
"""What is set in a folded character that is Chinese, Japanese or Korean."""
_CODE = (1 << 21) - 1
_K1, _K2, _K3 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(0x9E3779B97F4A7C15)
_ODD1, _ODD2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW, _ONE = np.uint64(0xFFFFFFFF), np.uint64(1)
_31, _27, _32 = np.uint64(31), np.uint64(27), np.uint64(32)
_21, _42, _60 = np.uint64(21), np.uint64(42), np.uint64(60)


@cache
def characters() -> Array:
    """Returns for each character of the basic plane what it becomes (int32): folded, any space `SPACE`, `CJK` marked."""
    becomes, kinds = table()
    codes = np.where(kinds == BLANK, np.int32(SPACE), becomes)
    ranges = ((0x3040, 0xA000), (0xAC00, 0xD7B0), (0xF900, 0xFB00))
    cjk = np.any([(codes >= first) & (codes < end) for first, end in ranges], axis=0)
    return np.where(cjk, codes | CJK, codes).astype(np.int32)


@njit(cache=True, nogil=True, inline="always")
def _mixed(word: Any) -> Any:
    """Mixes 64 bits (after the finalizer of SplitMix64, Steele et al. 2014)."""
    word = (word ^ (word >> _27)) * _K1
    word = (word ^ (word >> _31)) * _K2
    return word ^ (word >> _32)


@njit(cache=True, nogil=True)
def _fold(data: Array, at: int, end: int, becomes: Array, codes: Array) -> int:
    """Writes the folded characters of a piece, runs of space as one and none at its edges; returns how many."""
    here, stop, count, spaced = np.uintp(at), np.uintp(end), np.uintp(0), True
    while here < stop:
        code, size = code_point(data, here)
        here += np.uintp(size)
        if code < _PLANE:
            code = becomes[np.uintp(code)]
        elif 0x20000 <= code < 0x40000:  # ideographs beyond the basic plane
            code |= CJK
        space = code == SPACE
        codes[count] = code
        count += np.uintp(not (space and spaced))  # no branch: it would be guessed wrong
        spaced = space
    found = int(np.int64(count))
    return found - 1 if found and spaced else found


@njit(cache=True, nogil=True, inline="always")
def _packed(one: Any, two: Any, three: Any, four: Any, five: Any, size: int) -> Any:
    """Returns 64 well mixed bits of up to five characters of 21 bits each; those beyond the size are 0."""
    low = np.uint64(one) | (np.uint64(two) << _21) | (np.uint64(three) << _42)
    high = np.uint64(four) | (np.uint64(five) << _21) | (np.uint64(size) << _60)
    return _mixed((low * _K3) ^ ((high * _ODD1) >> _21) ^ high)


@njit(cache=True, nogil=True)
def _whole(codes: Array, count: int, words: Array) -> None:
    """Writes the packed shingle of every place with four characters behind it; no branch, so many at once."""
    for at in range(count):
        cjk = codes[at] & CJK != 0
        four = 0 if cjk else codes[at + 3] & _CODE
        five = 0 if cjk else codes[at + 4] & _CODE
        size = CJK_SIZE if cjk else SIZE
        words[at] = _packed(codes[at] & _CODE, codes[at + 1] & _CODE, codes[at + 2] & _CODE, four, five, size)


@njit(cache=True, nogil=True)
def _shingle(codes: Array, at: int, size: int) -> Any:
    """Returns the packed characters of a shingle of one to five."""
    two = codes[at + 1] & _CODE if size > 1 else 0
    three = codes[at + 2] & _CODE if size > 2 else 0
    four = codes[at + 3] & _CODE if size > 3 else 0
    five = codes[at + 4] & _CODE if size > 4 else 0
    return _packed(codes[at] & _CODE, two, three, four, five, size)


@njit(cache=True, nogil=True)
def _ending(codes: Array, at: int, count: int, reached: int, words: Array, to: int) -> int:
    """Writes the packed shingles from a place near the end on, the shorter one among them; returns how many there are."""
    first = -1
    for start in range(at, count):
        size = CJK_SIZE if codes[start] & CJK else SIZE
        if start + size > count:
            first = start if first < 0 else first
            continue
        words[to] = _shingle(codes, start, size)
        to += 1
        reached = max(reached, start + size)
    if reached < count:
        words[to] = _shingle(codes, first, count - first)
        to += 1
    return to


@njit(cache=True, nogil=True)
def _shingles(codes: Array, count: int, words: Array, out: Array, to: int, digest: Array) -> int:
    """Writes the shingles (uint32) of one piece, takes them into the row's digest, and returns where the next go."""
    plenty = max(0, count - SIZE + 1)
    _whole(codes, plenty, words)
    reached = 0
    for at in range(max(0, plenty - SIZE), plenty):
        reached = max(reached, at + (CJK_SIZE if codes[at] & CJK else SIZE))
    found = _ending(codes, plenty, count, reached, words, plenty)
    one, two = digest[0] + _K3, digest[1] ^ _K3
    for at in range(found):
        one, two = one * _ODD1 + words[at], (two ^ words[at]) * _ODD2
    here = out[to : to + found]
    for at in range(found):
        here[at] = words[at] >> _32
    digest[0], digest[1] = one, two ^ (two >> _31)
    return to + found


@njit(cache=True, nogil=True)
def _turn(codes: Array, count: int, digest: Array) -> Any:
    """Takes a whole piece into the digest and returns 64 bits of it."""
    word = np.uint64(count)
    for at in range(count):
        word = word * _ODD1 + np.uint64(codes[at] & _CODE) + _K3
    word = _mixed(word)
    digest[0], digest[1] = digest[0] * _ODD1 + word, (digest[1] ^ word) * _ODD2
    return word


@njit(cache=True, nogil=True)
def _row(
    data: Array, starts: Array, ends: Array, turns: Array, first: int, last: int, whole: bool, becomes: Array, work: Any
) -> int:
    """Writes a row's shingles, or its whole turns, into ``work`` and returns how many; repeats are not taken out."""
    codes, words, _, out, digest = work
    digest[0], digest[1] = np.uint64(last - first > 0), _K2
    to, open_turn, so_far = 0, -1, np.uint64(0)
    for piece in range(first, last):
        count = _fold(data, starts[piece], ends[piece], becomes, codes)
        if not count:
            continue
        if not whole:
            to = _shingles(codes, count, words, out, to, digest)
            continue
        word = _turn(codes, count, digest)
        if turns[piece] == open_turn:
            so_far = so_far * _ODD1 + word
            out[to - 1] = _mixed(so_far) >> _32
            continue
        open_turn, so_far = turns[piece], word
        out[to] = _mixed(word) >> _32
        to += 1
    return to


@njit(cache=True, nogil=True)
def _strip(out: Array, count: int, scaffold: Array, hints: Array) -> int:
    """Moves shingles outside the scaffold (sorted) to the front; returns how many, or all when too few are left."""
    if not scaffold.size:
        return count
    left = 0
    for at in range(count):
        shingle = out[at]
        if hints[shingle & _HINTS]:
            place = np.searchsorted(scaffold, shingle)
            if place < scaffold.size and scaffold[place] == shingle:
                continue
        if left < at:
            out[at], out[left] = out[left], shingle
        left += 1
    return left if left >= LEAST_LEFT else count


@njit(cache=True, nogil=True)
def _sign(shingles: Array, count: int, signature: Array, words: Array, places: Array) -> None:
    """Writes a MinHash signature by rounds of one-permutation hashing (Dahlgaard et al., FOCS 2017, section 2.1).

    In round i every shingle is thrown into a random bin with a value in [i, i + 1); a bin keeps its least. When an
    eighth of the bins or fewer are empty, these take the value of another one (Shrivastava, ICML 2017). So a long row
    costs one pass, and in a short one hardly two bins depend on each other.
    """
    bins = signature.size
    signature[:] = _EMPTY
    empty, turn = bins, 0
    while empty > bins >> 3:
        salt, high = np.uint64(turn + 1) * _K3, np.uint64(turn) << _32
        for at in range(count):  # no memory is written twice, so many at once
            word = _mixed(np.uint64(shingles[at]) ^ salt)
            places[at] = ((word >> _32) * np.uint64(bins)) >> _32
            words[at] = high | (word & _LOW)
        for at in range(count):
            place = places[at]
            signature[place] = min(signature[place], words[at])  # no branch: it would be guessed wrong
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
        step = np.uint64(place + 1) * _K1
        other = np.int64(place)
        while not filled[other]:
            step = _mixed(step + _K3)
            other = np.int64(((step >> _32) * np.uint64(bins)) >> _32)
        signature[place] = signature[other]


@njit(cache=True, nogil=True)
def _band_keys(signature: Array, rows: int, salt: int, keys: Array) -> None:
    for band in range(keys.size):
        keys[band] = np.uint64(band + 1) * _K3 + np.uint64(salt) * _K1
    for k in range(rows):
        for band in range(keys.size):  # no band waits for another, so many at once
            keys[band] = _mixed(keys[band] ^ signature[band * rows + k]) + _K3


@njit(cache=True, nogil=True)
def _gather_bits(signature: Array, bits: Array) -> None:
    """Sets the lowest bits of the first MinHashes in words (uint64, zeros)."""
    for place in range(64 * bits.size):
        bits[place >> 6] |= (signature[place] & _ONE) << np.uint64(place & 63)


@njit(cache=True, nogil=True)
def _work(starts: Array, ends: Array, bounds: Array) -> Any:
    """Returns room for the characters of the longest piece, words and places of the shingles of the longest row, these
    shingles, and a digest.
    """
    piece, row = 0, 0
    for r in range(bounds.size - 1):
        total = 0
        for p in range(bounds[r], bounds[r + 1]):
            piece = max(piece, ends[p] - starts[p])
            total += ends[p] - starts[p]
        row = max(row, total)
    words, places = np.empty(row + 1, np.uint64), np.empty(row + 1, np.uint64)
    return np.empty(piece + SIZE, np.int32), words, places, np.empty(row + 1, np.uint32), np.zeros(2, np.uint64)


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
    work = _work(starts, ends, bounds)
    _, packed, places, shingles, digest = work
    signature = np.empty(max(64 * words, bands * rows), np.uint64)
    for row in range(count):
        found = _row(data, starts, ends, turns, bounds[row], bounds[row + 1], whole, becomes, work)
        sizes[row] = found
        if not found:
            continue
        digests[row, 0] = _mixed(digest[0] + np.uint64(salts[row]) * _K2)
        digests[row, 1] = _mixed(digest[1] ^ np.uint64(found))
        left = _strip(shingles, found, scaffold[0], scaffold[1])
        _sign(shingles, left, signature, packed, places)
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
    packed, places = np.empty(values.size, np.uint64), np.empty(values.size, np.uint64)
    for row in range(count):
        shingles = values[offsets[row] : offsets[row + 1]].copy()
        left = _strip(shingles, shingles.size, scaffold[0], scaffold[1])
        _sign(shingles, left, signature, packed, places)
        _band_keys(signature, rows, salts[row], keys[row])
        _gather_bits(signature, bits[row])
    return keys, bits


@njit(cache=True, nogil=True)
def strip_sets(values: Array, offsets: Array, scaffold: Any) -> tuple[Array, Array]:
    """Returns sets of shingles, as ``shingle_sets`` does, from the sets of all shingles of rows."""
    count = offsets.size - 1
    out, ends = np.empty(values.size, np.uint32), np.zeros(count + 1, np.int64)
    for row in range(count):
        shingles = values[offsets[row] : offsets[row + 1]].copy()
        left = _strip(shingles, shingles.size, scaffold[0], scaffold[1])
        ends[row + 1] = _sorted_set(shingles, left, out, ends[row])
    return out[: ends[count]], ends


@njit(cache=True, nogil=True)
def _sorted_set(shingles: Array, count: int, out: Array, to: int) -> int:
    """Writes the distinct shingles in rising order and returns where the next go.

    They are hashes, hence even: one pass deals them to as many buckets by their high bits, insertion does the rest.
    """
    bits = 1
    while (1 << bits) < count and bits < 20:
        bits += 1
    shift = np.uint32(32 - bits)
    ends = np.zeros((1 << bits) + 1, np.int64)
    for at in range(count):
        ends[(shingles[at] >> shift) + 1] += 1
    for bucket in range(1, ends.size):
        ends[bucket] += ends[bucket - 1]
    dealt = np.empty(count, np.uint32)
    for at in range(count):
        bucket = shingles[at] >> shift
        dealt[ends[bucket]] = shingles[at]
        ends[bucket] += 1
    for at in range(1, count):
        value, place = dealt[at], at
        while place and dealt[place - 1] > value:
            dealt[place] = dealt[place - 1]
            place -= 1
        dealt[place] = value
    for at in range(count):
        if at == 0 or dealt[at] != dealt[at - 1]:
            out[to] = dealt[at]
            to += 1
    return to


@njit(cache=True, nogil=True)
def shingle_sets(
    data: Array, starts: Array, ends: Array, turns: Array, bounds: Array, whole: bool, becomes: Array, scaffold: Any
) -> tuple[Array, Array]:
    """Returns the sorted set of shingles (uint32) of each row, one behind the other, and the offsets of rows."""
    count = bounds.size - 1
    offsets = np.zeros(count + 1, np.int64)
    work = _work(starts, ends, bounds)
    shingles, total = work[3], 0
    for piece in range(bounds[0], bounds[count]):
        total += ends[piece] - starts[piece]
    out = np.empty(total, np.uint32)
    for row in range(count):
        found = _row(data, starts, ends, turns, bounds[row], bounds[row + 1], whole, becomes, work)
        left = _strip(shingles, found, scaffold[0], scaffold[1])
        offsets[row + 1] = _sorted_set(shingles, left, out, offsets[row])
    return out[: offsets[count]], offsets


@njit(cache=True, nogil=True)
def jaccards(values: Array, offsets: Array, a: Array, b: Array, least: float) -> Array:
    """Returns the Jaccard similarity (float64) of pairs of sorted sets, or 0 as soon as it can't reach ``least``."""
    found = np.zeros(a.size, np.float64)
    for pair in range(a.size):
        i, end = offsets[a[pair]], offsets[a[pair] + 1]
        j, stop = offsets[b[pair]], offsets[b[pair] + 1]
        sizes = end - i + stop - j
        alone = sizes - 2 * np.ceil(least / (1 + least) * sizes - 1e-9)  # so many may be in one set only
        same = 0
        while i < end and j < stop:
            block = min(end - i, stop - j, 64)
            for _ in range(block):
                x, y = values[i], values[j]
                same += x == y
                i += x <= y
                j += y <= x
                if i == end or j == stop:
                    break
            if i - offsets[a[pair]] + j - offsets[b[pair]] - 2 * same > alone:
                break
        similarity = same / (sizes - same) if sizes else 0.0
        found[pair] = similarity if similarity >= least else 0.0
    return found
