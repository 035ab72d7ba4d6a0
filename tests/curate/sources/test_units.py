"""Cutting a file into units changes nothing about what is read."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.sources import units
from curate.sources.spec import SourceFile, SourceSpec

LINES = st.lists(
    st.one_of(
        st.text(max_size=12).map(lambda text: orjson.dumps({"text": f"字{text}é😀"})),
        st.sampled_from([b"", b"  ", b"{", b'{"text": "\xff"}', b"\r", b'{"text":null}', "{}　".encode()]),
    ),
    max_size=12,
)


def _account(got: Any) -> Any:
    rows = got.rows.rows() if got.units else []
    return rows, got.origin.rows(), got.bad, got.blank


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=LINES,
    newline=st.sampled_from([b"\n", b"\r\n"]),
    last=st.booleans(),
    bom=st.booleans(),
    parts=st.integers(1, 90),
    compact=st.booleans(),
)
def test_units_read_what_the_whole_file_reads(
    load: Any, tmp_path: Path, lines: list[bytes], newline: bytes, last: bool, bom: bool, parts: int, compact: bool
) -> None:
    """Any cut gives the rows, origins, bad rows and blanks of one unit, and every byte is in one unit."""
    body = newline.join([b'{"text": "first"}', *lines]) + (newline if last else b"")
    data = b"\xef\xbb\xbf" * bom + body
    path = tmp_path / ("a.txt" if compact else "a.jsonl")
    path.write_bytes(data)
    whole = load(path=str(path), format="text", split="line", encoding="utf-8")
    cut = load(path=str(path), format="text", split="line", encoding="utf-8", part_bytes=parts)
    assert _account(cut) == _account(whole)
    assert whole.lines == body.count(b"\n") + (not body.endswith(b"\n"))
    edges = [(unit.start, unit.end) for unit in cut.units]
    assert [start for start, _ in edges] == [0, *(end for _, end in edges[:-1])]
    assert edges[-1][1] == len(data)
    for bad in whole.bad:
        assert data[bad.offset :].startswith(bad.raw)


def test_units_are_small_values(tmp_path: Path) -> None:
    """A unit survives pickling in a few hundred bytes, and the cut depends on the content alone."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "x"}\n' * 1000)
    file = SourceFile(str(path), "jsonl", "", path.stat().st_size, "utf-8")
    spec = SourceSpec.model_validate({"name": "s", "path": str(path)})
    found = units(spec, [file], 1000)
    assert pickle.loads(pickle.dumps(found)) == found
    assert len(pickle.dumps(found[3])) < 600
    assert (found[1].start, found[1].line) == (1008, 73)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16-le", "utf-8"])
def test_cut_or_whole_by_encoding(load: Any, tmp_path: Path, encoding: str) -> None:
    """Files are cut where a newline is one byte; UTF-16 is read in one piece, its rows being the same."""
    text = "".join(f'{{"text": "第{i}行，客户服务与数据"}}\n' for i in range(200))
    (tmp_path / "a.jsonl").write_bytes(text.encode(encoding))
    got = load(path=str(tmp_path / "a.jsonl"), part_bytes=1000)
    assert got.files[0].encoding == encoding
    assert (len(got.units) == 1) == encoding.startswith("utf-16")
    assert got.rows["text"].to_list() == [f"第{i}行，客户服务与数据" for i in range(200)]
    assert got.origin["line"].to_list() == list(range(1, 201))
    assert got.origin["offset"].null_count() == (200 if encoding.startswith("utf-16") else 0)
