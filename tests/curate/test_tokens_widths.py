"""Widths of token ids: they add up to the text, and place the same borders as tokenizing segments apart."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.chat.segments import Segments, _by_parts, label
from curate.tokens import load_tokenizer
from curate.tokens.widths import all_normal, token_widths

FOLDER = Path(__file__).resolve().parents[2] / "data_samples" / "tokenizer"
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
MIXED = st.lists(st.sampled_from(["你好", " um", "\n", "\n\n", "  ", "🙂", "<|im_end|>", "a1", "。", "Ａ"]), max_size=8)
PIECES = st.one_of(TEXT, MIXED.map("".join))


@given(st.lists(PIECES, min_size=1, max_size=5))
def test_widths_add_up_to_the_bytes_of_any_text(texts: list[str]) -> None:
    """The bytes behind a text's ids are the bytes of the text."""
    tokenizer = load_tokenizer(str(FOLDER))
    array = pa.array(texts, pa.large_string())
    widths = tokenizer.widths_for(array)
    assert widths is not None
    tokens = tokenizer.encode(array)
    assert [int(widths[tokens[i]].sum()) for i in range(len(texts))] == [len(t.encode()) for t in texts]


@given(st.lists(st.lists(st.tuples(PIECES, st.booleans()), min_size=1, max_size=6), min_size=1, max_size=4))
def test_borders_are_those_of_offsets(rows: list[list[tuple[str, bool]]]) -> None:
    """Labels by widths equal labels by segments and reference offsets, for any cut of any text."""
    tokenizer = load_tokenizer(str(FOLDER))
    flat = [piece for row in rows for piece in row]
    starts = np.cumsum([0, *map(len, rows)])
    texts = pa.array([text for text, _ in flat], pa.large_string())
    segments = Segments(texts, np.array([trained for _, trained in flat]), starts)
    found = label(segments, tokenizer)
    whole = segments.whole()
    wanted = _by_parts(segments.merged(), whole, tokenizer.encode(whole), tokenizer)
    assert np.array_equal(found.tokens.ids, wanted.tokens.ids)
    assert np.array_equal(found.trained, wanted.trained)


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({}, True),
        ({"normalizer": {"type": "NFC"}}, True),
        ({"normalizer": {"type": "NFKC"}}, False),
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, False),
        ({"pre_tokenizer": {"type": "Metaspace", "replacement": "▁"}}, False),
    ],
)
def test_only_tokenizers_that_keep_the_bytes_have_widths(change: dict[str, object], known: bool) -> None:
    """A normalizer other than NFC, a prefix space or another alphabet means no constant widths."""
    data = {**json.loads((FOLDER / "tokenizer.json").read_text()), **change}
    assert (token_widths(json.dumps(data)) is not None) == known


def test_text_that_is_not_normal_is_seen() -> None:
    """A decomposed accent is not in NFC."""
    assert all_normal(pa.array(["é", "你好"], pa.large_string()))
    assert not all_normal(pa.array(["e\u0301"], pa.large_string()))
