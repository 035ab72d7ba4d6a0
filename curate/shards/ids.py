"""Row ids as two 64-bit numbers, and back to their 32 hex digits, a column at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.errors import StoreError

_NO_DIGIT = 255
_DIGIT_OF = np.full(256, _NO_DIGIT, dtype=np.uint8)
_DIGIT_OF[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16, dtype=np.uint8)
_HEX_OF = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint8).reshape(256, 2)


def ids_from_hex(column: pa.LargeStringArray) -> NDArray[np.uint64]:
    """Returns ids as uint64[n, 2], the high half first.

    Raises:
        StoreError: when a value isn't 32 lower-case hex digits.
    """
    count = len(column)
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int64)[column.offset : column.offset + count + 1]
    if count == 0:
        return np.empty((0, 2), dtype=np.uint64)
    if column.null_count or (np.diff(offsets) != 32).any():
        raise StoreError(f"an id column holds {_culprit(column)!r}; ids are 32 lower-case hex digits")
    text = np.frombuffer(column.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
    digits = _DIGIT_OF[text]
    if (digits == _NO_DIGIT).any():
        bad = column[int(np.flatnonzero(digits == _NO_DIGIT)[0]) // 32].as_py()
        raise StoreError(f"an id column holds {bad!r}; ids are 32 lower-case hex digits")
    octets = (digits[0::2] << 4) | digits[1::2]
    return octets.view(">u8").astype(np.uint64).reshape(count, 2)


def _culprit(column: pa.LargeStringArray) -> str | None:
    value: str | None = next(v for v in column.to_pylist() if v is None or len(v.encode()) != 32)
    return value


def octets_from_ids(ids: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Returns each id's 16 octets, most significant first: uint8[n, 16]."""
    return ids.astype(">u8").view(np.uint8).reshape(len(ids), 16)


def hex_from_ids(ids: NDArray[np.uint64]) -> pa.StringArray:
    """Returns ids (uint64[n, 2]) as an Arrow string column of 32 hex digits each."""
    text = np.ascontiguousarray(_HEX_OF[octets_from_ids(ids)])
    offsets = np.arange(0, 32 * len(ids) + 1, 32, dtype=np.int32)
    buffers: list[Any] = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    return pa.StringArray.from_buffers(len(ids), buffers[1], buffers[2])
