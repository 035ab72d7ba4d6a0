"""Parsed records: how keys are counted in the text they come from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curate.sources.records import times


@given(st.lists(st.sampled_from([b'":', b'"', b":", b" :", b"x", b"\xe4"]), max_size=40), st.sampled_from([1, 500]))
def test_pairs_are_counted_in_short_and_long_texts(pieces: list[bytes], often: int) -> None:
    """Two bytes side by side are counted at even and odd places alike."""
    text = b"".join(pieces) * often
    assert times(text, b'":') == text.count(b'":')
    assert times(text, b" :") == text.count(b" :")
