"""Characters in compiled loops."""

from __future__ import annotations

import numpy as np
import pytest

from curate.utf8 import code_point, put_bytes, put_code_point


@pytest.mark.parametrize("text", ["\0a\x7f", "\x80é߿", "ࠀ问\ufffd\uffff", "\U00010000😀\U0010ffff"])
def test_every_length_there_and_back(text: str) -> None:
    """One to four bytes."""
    data = np.frombuffer(text.encode(), np.uint8)
    out, at, to = np.zeros(data.size, np.uint8), 0, np.uintp(0)
    for character in text:
        code, size = code_point(data, at)
        assert (code, size) == (ord(character), len(character.encode()))
        at, to = at + size, np.uintp(put_code_point(out, to, code))
    assert out.tobytes() == text.encode()


def test_bytes_are_put_where_asked() -> None:
    """And nowhere else."""
    data, out = np.frombuffer(b"abcdef", np.uint8), np.zeros(5, np.uint8)
    assert put_bytes(out, 1, data, 2, 5) == 4
    assert out.tobytes() == b"\0cde\0"
    assert put_bytes(out, 0, data, 3, 3) == 0
