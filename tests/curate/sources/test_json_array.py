"""Arrays are streamed element by element; a broken element costs one row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.sources import opening
from curate.sources.json_array import json_records
from curate.sources.spec import SourceFile, Unit

RECORDS = [{"text": f"t{i} [{{", "n": {"a": [i]}} for i in range(20)]
ONE = orjson.dumps(RECORDS[7])

BROKEN = {
    "missing quote": ONE.replace(b'[{"', b"[{"),
    "missing brace": ONE[:-2],
    "bad token": ONE.replace(b"[7]", b"[7,]"),
    "brace closed early": ONE.replace(b'"n":{', b'"n":}{'),
    "missing colon": ONE.replace(b'"n":', b'"n"'),
    "single quotes": ONE.replace(b'"', b"'"),
}


def _array(style: str, broken: bytes) -> bytes:
    parts = [broken if i == 7 else orjson.dumps(r) for i, r in enumerate(RECORDS)]
    return {"lines": b"[\n" + b",\n".join(parts) + b"\n]\n", "one line": b"[" + b", ".join(parts) + b"]"}[style]


@pytest.mark.parametrize("style", ["lines", "one line"])
@pytest.mark.parametrize("kind", list(BROKEN))
def test_a_broken_element_costs_one_row(load: Any, tmp_path: Path, style: str, kind: str) -> None:
    """Reading goes on at the next good record, whether elements have lines of their own or not."""
    (tmp_path / "a.json").write_bytes(_array(style, BROKEN[kind]))
    got = load(path=str(tmp_path / "a.json"))
    assert got.rows["text"].to_list() == [r["text"] for i, r in enumerate(RECORDS) if i != 7]
    assert set(got.reasons) == {"malformed_json"}
    assert b"".join(bad.raw for bad in got.bad).startswith(BROKEN[kind][:20])
    assert got.bad[0].line == (9 if style == "lines" else 1)


def test_line_and_offset_of_pretty_elements(load: Any, tmp_path: Path) -> None:
    """Line and offset say where an element starts in the file."""
    data = b"\xef\xbb\xbf" + orjson.dumps([{"text": "a"}, {"text": 5}, {"text": "b"}], option=orjson.OPT_INDENT_2)
    (tmp_path / "a.json").write_bytes(data)
    got = load(path=str(tmp_path / "a.json"))
    assert got.origin["line"].to_list() == [2, 8]
    assert [data[o : o + 1] for o in got.origin["offset"].to_list()] == [b"{", b"{"]
    assert (got.bad[0].line, got.reasons) == (5, ["wrong_type"])
    assert data[got.bad[0].offset :].startswith(got.bad[0].raw)


@pytest.mark.parametrize(
    ("data", "reasons", "texts"),
    [
        (b'[{"text": "a"}, {"text": "b"', ["truncated_file"], ["a"]),
        (b'[{"text": "a"}, {"text": "b"}', ["truncated_file"], ["a", "b"]),
        (b'[{"text": "a"}] junk', ["malformed_json"], ["a"]),
        (b'[{"text": "a"}}, {"text": "b"}]', ["malformed_json"], ["a", "b"]),
        (b'[{"text": "a"}, 3, "x", null, {"text": "b"}]', ["not_an_object"] * 3, ["a", "b"]),
        (b'[{"text": "a"}, {"text": "b", "text": "c"}]', ["duplicate_key"], ["a"]),
        (b'{"text": "a"}', [], ["a"]),
        (b'{"text": "a",\n "x": [1]}{"text": "b"}', [], ["a", "b"]),
        (b'{"rows": [{"text": "a"}], "more": {"x": 1}}', [], ["a"]),
    ],
)
def test_ends_and_odd_elements(load: Any, tmp_path: Path, data: bytes, reasons: list[str], texts: list[str]) -> None:
    """Arrays that stop short or hold other things give what is good and name the rest."""
    (tmp_path / "a.json").write_bytes(data)
    got = load(path=str(tmp_path / "a.json"))
    assert got.rows["text"].to_list() == texts
    assert got.reasons == reasons


def test_an_element_beyond_the_limit(load: Any, tmp_path: Path) -> None:
    """An element longer than the limit is left out without being held."""
    parts = [{"text": "a"}, {"text": "x" * 30_000_000}, {"text": "b"}]
    (tmp_path / "a.json").write_bytes(orjson.dumps(parts))
    got = load(path=str(tmp_path / "a.json"), limit=1_000_000)
    assert got.rows["text"].to_list() == ["a", "b"]
    assert got.reasons == ["line_too_long"]


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(VALUES, max_size=8), chunk=st.integers(1, 40), indent=st.booleans())
def test_any_array_in_any_chunks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, values: list[Any], chunk: int, indent: bool
) -> None:
    """Whatever the array holds and however it is read, each element comes out once, as it is, at its place."""
    data = orjson.dumps(values, option=orjson.OPT_INDENT_2 if indent else 0)
    path = tmp_path / "a.json"
    path.write_bytes(data)
    monkeypatch.setattr(opening.chunks, "__defaults__", (0, -1, chunk))
    unit = Unit(0, SourceFile(str(path), "json", "", len(data), "utf-8"), 0, -1, 1)
    found = list(json_records(unit))
    assert [value for records in found for value in records.values] == values
    assert not any(records.bad for records in found)
    places = [place for r in found for place in zip(r.offsets or [], r.lines, r.raws, strict=True)]
    assert all(data[offset:].startswith(raw) for offset, _, raw in places)
    assert all(line == data[:offset].count(b"\n") + 1 for offset, line, _ in places)
