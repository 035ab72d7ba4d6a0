"""Whatever bytes a file holds, reading goes on to its end and accounts for every record."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.errors import SourceError
from curate.sources import REASONS

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
ROLES = st.sampled_from(["user", "assistant", "system", "tool", "gpt", "ghost"])
CALLS = st.one_of(JSON, st.just([{"function": {"name": "f", "arguments": "{}"}}]))
MESSAGE = st.one_of(
    st.fixed_dictionaries(
        {"role": st.one_of(ROLES, SCALARS), "content": st.one_of(st.text(max_size=8), JSON)},
        optional={"weight": SCALARS, "tool_calls": CALLS, "name": SCALARS, "extra": JSON},
    ),
    st.fixed_dictionaries({"from": ROLES, "value": SCALARS}),
    JSON,
)
TURNS = st.one_of(st.lists(MESSAGE, max_size=4), JSON)
RECORD = st.one_of(
    st.fixed_dictionaries({"messages": TURNS}, optional={"tools": JSON, "id": JSON, "system": JSON}),
    st.fixed_dictionaries({"messages": TURNS}, optional={"chosen": JSON, "label": SCALARS}),
    JSON,
).map(lambda value: json.dumps(value).encode())
LINE = st.one_of(RECORD, st.binary(max_size=30), st.sampled_from([b"", b" ", b'{"a":1,"a":2}', b"[" * 300]))
FORMATS = {
    "messages": {"messages": "messages"},
    "preference": {"prompt": "messages", "chosen": "messages", "rejected": "messages"},
    "kto": {"prompt": "messages", "completion": "messages", "label": "messages"},
    "prompt_completion": {"prompt": "messages", "completion": "messages"},
    "alpaca": {"instruction": "messages", "output": "messages", "history": "messages"},
    "text": {"text": "messages"},
}
GOOD = orjson.dumps({"messages": [{"role": "user", "content": "q"}]})
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=150, deadline=None, suppress_health_check=CHECKS)
@given(
    lines=st.lists(LINE.map(lambda line: line.replace(b"\n", b"")), max_size=8),
    shape=st.sampled_from(sorted(FORMATS)),
    parts=st.integers(1, 300),
)
def test_lines_are_rows_bad_or_blank(load: Any, tmp_path: Path, lines: list[bytes], shape: str, parts: int) -> None:
    """Every line is exactly one row, one bad row with its bytes, or blank."""
    lines = [GOOD, *lines]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    got = load(path=str(path), part_bytes=parts, format=shape, columns=FORMATS[shape], encoding="utf-8")
    assert got.lines == len(lines)
    assert got.blank == sum(not line.strip() for line in lines)
    seen = sorted([*got.origin["line"].to_list(), *(bad.line for bad in got.bad)])
    assert seen == [i + 1 for i, line in enumerate(lines) if line.strip()]
    assert all(bad.raw == lines[bad.line - 1] and bad.reason in REASONS for bad in got.bad)


@settings(max_examples=100, deadline=None, suppress_health_check=CHECKS)
@given(parts=st.lists(st.one_of(RECORD, st.binary(max_size=12)), max_size=6), cut=st.integers(0, 400))
def test_arrays_of_anything(load: Any, tmp_path: Path, parts: list[bytes], cut: int) -> None:
    """An array of records and rubbish, cut anywhere, is read to its end with each good record before the rubbish."""
    data = (b"[" + b",\n".join([GOOD, *parts]))[: len(GOOD) + 2 + cut]
    path = tmp_path / "a.json"
    path.write_bytes(data)
    got = load(path=str(path), format="messages", columns={"messages": "messages"}, encoding="utf-8")
    assert got.origin["line"][0] == 1
    assert got.lines >= 1
    places = [*got.origin["offset"].to_list(), *(bad.offset for bad in got.bad)]
    assert len(set(got.origin["offset"].to_list())) == got.rows.height
    assert all(0 <= place <= len(data) for place in places)


@settings(max_examples=100, deadline=None, suppress_health_check=CHECKS)
@given(lines=st.lists(st.text('ab,"\r 字', max_size=12), max_size=10))
def test_csv_of_anything(load: Any, tmp_path: Path, lines: list[str]) -> None:
    """Each line of a table is in one row, refused once, or blank."""
    path = tmp_path / "a.csv"
    body = "".join(line + "\n" for line in lines)
    path.write_bytes(("question,answer\nq,a\n" + body).encode())
    got = load(path=str(path), format="question_answer")
    starts = sorted([*got.origin["line"].to_list(), *(bad.line for bad in got.bad)])
    assert starts == sorted(set(starts))
    spanned = sum(m["content"].count("\n") for row in got.rows["messages"].to_list() for m in row)
    refused = sum(bad.raw.count(b"\n") for bad in got.bad)
    assert got.lines + spanned + refused == len(lines) + 1


@settings(max_examples=60, deadline=None, suppress_health_check=CHECKS)
@given(data=st.data(), kind=st.sampled_from(["gz", "zst"]))
def test_damaged_compression_of_anything(load: Any, tmp_path: Path, data: st.DataObject, kind: str) -> None:
    """A compressed file with bytes changed or cut off gives a prefix of its rows and a bad row, or one clear error."""
    lines = [orjson.dumps({"text": f"{i * 7919 % 1000003:x}" * 5}) for i in range(300)]
    plain = b"\n".join(lines) + b"\n"
    packed = bytearray(
        gzip.compress(plain, mtime=0) if kind == "gz" else zstandard.ZstdCompressor(write_checksum=True).compress(plain)
    )
    cut = data.draw(st.integers(1, len(packed)))
    packed = packed[:cut]
    if data.draw(st.booleans()):
        packed[data.draw(st.integers(0, cut - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(bytes(packed))
    try:
        got = load(path=str(path), format="text")
    except SourceError:
        return
    assert got.lines == got.rows.height + len(got.bad) if got.units else True
    if bytes(packed) == plain:
        assert got.rows.height == 300


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt", "a.tsv"])
def test_random_bytes(load: Any, tmp_path: Path, name: str) -> None:
    """A file of noise is an error or bad rows, never a crash."""
    state, noise = 1, bytearray()
    for _ in range(20_000):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        noise.append(state >> 56)
    (tmp_path / name).write_bytes(bytes(noise))
    try:
        got = load(path=str(tmp_path / name), encoding="utf-8", split="line", format="text")
    except SourceError:
        return
    assert got.rows.height + len(got.bad) > 0
