"""JSON that is said to be tidy is what `orjson` writes."""

from __future__ import annotations

import json
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.arrow import texts_of
from curate.json_loop import tidy

VALUE = (
    st.text(max_size=4)
    | st.integers(-(10**20), 10**20)
    | st.booleans()
    | st.none()
    | st.floats()
    | st.lists(st.integers(), max_size=2)
)


def _tidy(texts: list[str]) -> list[bool]:
    found: list[bool] = tidy(*texts_of(pl.Series(texts, dtype=pl.String))).tolist()
    return found


def _assert_true_of_tidy_ones(texts: list[str]) -> None:
    for text, found in zip(texts, _tidy(texts), strict=True):
        assert not found or orjson.dumps(orjson.loads(text)).decode() == text


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=3), VALUE, max_size=4), max_size=5), st.booleans())
def test_objects(objects: list[dict[str, Any]], loose: bool) -> None:
    """Whatever they hold, and however they are spaced."""
    separators = (", ", ": ") if loose else (",", ":")
    _assert_true_of_tidy_ones([json.dumps(one, ensure_ascii=loose, separators=separators) for one in objects])


@settings(max_examples=1000, deadline=None)
@given(st.text('{}":,1-0truefalsn a\\', max_size=14))
def test_anything(text: str) -> None:
    """What is no JSON is not tidy."""
    _assert_true_of_tidy_ones([text, f"{{{text}}}", f'{{"a":{text}}}', f'{{"a":1,"{text}"}}'])


@pytest.mark.parametrize("text", ["{}", '{"a":1}', '{"编号":"x，y","b":-12,"c":true,"d":null,"e":0,"f":false,"g":""}'])
def test_flat_objects_are_tidy(text: str) -> None:
    """Texts without escapes, integers, truth values and nulls."""
    assert _tidy([text]) == [True]


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', '{"a":01}', '{"a":-0}', '{"a":1.0}', '{"a": 1}', "[]", '{"a":"\\u0041"}']
)
def test_what_orjson_writes_otherwise_is_not(text: str) -> None:
    """Keys twice, blanks, other spellings of numbers and letters."""
    assert _tidy([text]) == [False]
