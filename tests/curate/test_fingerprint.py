"""Keys: one spelling for each meaning, no key for what has none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from curate.files import Digests
from curate.fingerprint import FileRef, canonical_json, key_of, no_files

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def key(value: Any) -> str:
    """Returns the key of a value that names no files."""
    return key_of(canonical_json(value, no_files))


def typed(value: Any) -> Any:
    """Returns the value with the type beside each part, so that 1, 1.0, True and -0.0 are told apart."""
    if isinstance(value, dict):
        return {k: typed(v) for k, v in value.items()}
    return [typed(v) for v in value] if isinstance(value, list) else (type(value).__name__, repr(value))


class Point(BaseModel):
    """A model with a default."""

    x: int = 1


class Spot(BaseModel):
    """A model of the same fields."""

    x: int = 1


class Reads(BaseModel):
    """A model that names a file."""

    file: FileRef


@given(PLAIN, PLAIN)
def test_equal_values_have_equal_keys_and_others_have_not(one: Any, other: Any) -> None:
    """Two values share a key exactly when they are equal, types included."""
    assert (key(one) == key(other)) == (typed(one) == typed(other))


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=6))
def test_the_order_of_a_mapping_does_not_count(value: dict[str, int]) -> None:
    """A mapping is the same whatever order its keys were written in."""
    assert key(value) == key(dict(reversed(value.items())))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({1, 2}, r"set \{1, 2\} has no canonical form"),
        (float("nan"), "nan has no canonical form: numbers in a key are finite"),
        (float("-inf"), "-inf has no canonical form"),
        ({1: "a"}, "mapping key 1 has no canonical form: keys are strings"),
        (object(), "object .* has no canonical form"),
        ([{"deep": (b"bytes",)}], "bytes b'bytes' has no canonical form"),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any, told: str) -> None:
    """Sets, numbers that are not finite, objects and keys that are no strings raise TypeError."""
    with pytest.raises(TypeError, match=told):
        key(value)


def test_models_count_by_class_and_by_every_field() -> None:
    """A default counts like the same value given; another class of equal fields is another thing."""
    assert key(Point()) == key(Point(x=1)) != key(Point(x=2))
    assert key(Point()) != key(Spot())


def test_a_tuple_is_a_list() -> None:
    """Parameters keep their key when they come back from JSON."""
    assert key((1, (2,))) == key([1, [2]])


def test_a_file_counts_by_its_content(tmp_path: Any) -> None:
    """The name of a file does not matter, its content does; a string that looks like the path is another value."""
    for name, text in {"a": "same", "b": "same", "c": "other"}.items():
        (tmp_path / name).write_text(text)
    digest = Digests(tmp_path / "memo.json")
    a, b, c = (key_of(canonical_json(Reads(file=FileRef(tmp_path / n)), digest)) for n in "abc")
    assert a == b != c
    assert key_of(canonical_json(str(tmp_path / "a"), digest)) != key_of(
        canonical_json(FileRef(tmp_path / "a"), digest)
    )


def test_a_file_where_none_may_be() -> None:
    """no_files names the file it met."""
    with pytest.raises(TypeError, match=r"no file may be named here, found 'x\.txt'"):
        key(FileRef("x.txt"))


def test_a_file_reference_keeps_its_type_and_is_not_empty() -> None:
    """Validation gives a FileRef back and refuses an empty name."""
    assert type(Reads.model_validate({"file": "a"}).file) is FileRef
    with pytest.raises(ValueError, match="at least 1 character"):
        Reads.model_validate({"file": ""})
