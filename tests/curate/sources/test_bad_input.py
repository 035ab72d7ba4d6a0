"""Each kind of bad input costs exactly its own records, and each reason is given by some record."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from curate.errors import SourceError
from curate.sources import RAW_LIMIT, REASONS

GOOD = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
U, A = GOOD["messages"]
PREFERENCE = {"prompt": "q", "chosen": "a", "rejected": "b"}
KTO = {"prompt": "q", "completion": "a", "label": True}


def _chat(*messages: Any) -> dict[str, Any]:
    return {"messages": list(messages)}


def _calls(call: Any) -> dict[str, Any]:
    return _chat(U, {"role": "assistant", "content": None, "tool_calls": call})


BAD: list[tuple[Any, Any, str]] = [
    (GOOD, b'{"messages": [', "malformed_json"),
    (GOOD, b'{"messages": NaN}', "malformed_json"),
    (GOOD, b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "malformed_json"),
    (GOOD, b"[" * 900 + b"]" * 900, "not_an_object"),
    (GOOD, b"[" * 5000 + b"]" * 5000, "malformed_json"),
    (GOOD, b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}', "invalid_encoding"),
    (GOOD, b'{"id": 1, "id": 2, "messages": [{"role": "user", "content": "q"}]}', "duplicate_key"),
    (GOOD, b'{"messages": [{"role": "user", "content": "q", "content" : "r"}]}', "duplicate_key"),
    (GOOD, b'{"messages": [{"role": "user", "content": "q", "cont\\u0065nt":"r"}]}', "duplicate_key"),
    (GOOD, b"3", "not_an_object"),
    (GOOD, b"null", "not_an_object"),
    (GOOD, {"text": "x"}, "missing_column"),
    (GOOD, _chat({"content": "q"}), "missing_column"),
    (GOOD, {"messages": "q"}, "wrong_type"),
    (GOOD, {"messages": 3}, "wrong_type"),
    (GOOD, _chat("q"), "wrong_type"),
    (GOOD, _chat({"role": 1, "content": "q"}), "wrong_type"),
    (GOOD, _chat({"role": "user", "content": 4}), "wrong_type"),
    (GOOD, _chat({**U, "name": 3}), "wrong_type"),
    (GOOD, {"messages": None}, "null_content"),
    (GOOD, _chat({"role": "user", "content": None}), "null_content"),
    (GOOD, _chat(), "empty_record"),
    (GOOD, _chat({"role": "user", "content": ""}, {"role": "assistant", "content": " \n"}), "empty_record"),
    (GOOD, _chat({"role": "narrator", "content": "q"}), "unknown_role"),
    (GOOD, _chat({"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}), "unsupported_content"),
    (GOOD, _chat({**U, "weight": 0.5}), "bad_weight"),
    (GOOD, _chat({**U, "weight": "1"}), "bad_weight"),
    (GOOD, _calls([{"function": {"name": "f", "arguments": "{not json"}}]), "bad_tool_call"),
    (GOOD, _calls([{"function": {"name": "f", "arguments": "[1]"}}]), "bad_tool_call"),
    (GOOD, _calls([{"function": {"arguments": {}}}]), "bad_tool_call"),
    (GOOD, _calls([{"name": "f", "arguments": '{"order": [123456789012345678901]}'}]), "bad_tool_call"),
    (GOOD, _calls(["f"]), "bad_tool_call"),
    (GOOD, _calls(5), "bad_tool_call"),
    ({**GOOD, "tools": "[]"}, {**GOOD, "tools": "{"}, "bad_tools"),
    ({**GOOD, "tools": []}, {**GOOD, "tools": [1]}, "bad_tools"),
    (PREFERENCE, {"prompt": "q", "chosen": "a"}, "missing_column"),
    (PREFERENCE, {"prompt": "q", "chosen": "a", "rejected": None}, "null_content"),
    (PREFERENCE, {"prompt": [U], "chosen": [U], "rejected": [U]}, "no_answer"),
    (PREFERENCE, {"chosen": "a", "rejected": "b"}, "missing_column"),
    (KTO, {**KTO, "label": "maybe"}, "bad_label"),
    (KTO, {**KTO, "label": 2}, "bad_label"),
    (KTO, {**KTO, "label": None}, "null_content"),
    (KTO, {**KTO, "completion": [U]}, "no_answer"),
    ({"question": "q", "answer": "a"}, {"question": "q", "answer": 42}, "wrong_type"),
    (
        {"instruction": "q", "output": "a", "history": []},
        {"instruction": "q", "output": "a", "history": ["x"]},
        "wrong_type",
    ),
    ({"text": "x"}, {"text": " "}, "empty_record"),
]


@pytest.mark.parametrize(("good", "bad", "reason"), BAD, ids=[f"{i}-{r}" for i, (_, _, r) in enumerate(BAD)])
def test_one_bad_record_costs_one_row(load: Any, jsonl: Any, good: Any, bad: Any, reason: str) -> None:
    """The bad record is refused with its place, reason and bytes; its neighbours become rows."""
    path = jsonl(good, good, bad, b"", good)
    got = load(path=str(path))
    raw = bad if isinstance(bad, bytes) else orjson.dumps(bad)
    assert got.reasons == [reason]
    assert (got.bad[0].line, got.bad[0].offset) == (3, 2 * len(orjson.dumps(good)) + 2)
    assert got.bad[0].raw == raw
    assert got.origin["line"].to_list() == [1, 2, 5]
    assert (got.blank, got.lines) == (1, 5)


def test_each_reason_has_a_sentence_and_a_test() -> None:
    """No reason is in the table without being given by a test of this folder."""
    here = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [reason for reason in REASONS if f'"{reason}"' not in here] == []
    assert all(sentence.endswith(".") for sentence in REASONS.values())


def test_many_keys_of_content_are_no_duplicates(load: Any, jsonl: Any) -> None:
    """Text that looks like JSON keys is not taken for a key named twice."""
    text = '{"a": 1, "a" : 2}\t"b":'
    got = load(path=str(jsonl({"messages": [{"role": "user", "content": text}, A]}, GOOD)))
    assert (got.rows.height, got.bad) == (2, [])
    assert got.messages()[0]["content"] == text


def test_duplicate_keys_hidden_by_spacing(load: Any, jsonl: Any) -> None:
    """A key named twice is found when a tab or spaces stand before its colon."""
    lines = [b'{"text":"x","text"' + gap + b':"y"}' for gap in (b" ", b"\t", b"  ", b"\r")]
    got = load(path=str(jsonl({"text": "a"}, *lines, {"text": "b"})))
    assert got.reasons == ["duplicate_key"] * 4
    assert got.rows["text"].to_list() == ["a", "b"]


def test_long_lines_are_skipped_without_being_held(load: Any, jsonl: Any) -> None:
    """A line beyond the limit costs one row wherever it is, with its first 64 KiB kept."""
    long = orjson.dumps({"text": "x" * 9_000_000})
    path = jsonl({"text": "a"}, long, {"text": "b"}, long)
    got = load(path=str(path), limit=100_000)
    assert got.rows["text"].to_list() == ["a", "b"]
    assert got.reasons == ["line_too_long"] * 2
    assert [bad.line for bad in got.bad] == [2, 4]
    assert [bad.raw for bad in got.bad] == [long[:RAW_LIMIT]] * 2
    assert [bad.offset for bad in got.bad] == [13, 13 + len(long) + 1 + 13]


@pytest.mark.slow
def test_a_line_of_200_mb(load: Any, tmp_path: Path) -> None:
    """A line of 200 MB is one bad row."""
    with (tmp_path / "a.jsonl").open("wb") as out:
        out.write(b'{"text": "a"}\n{"text": "')
        for _ in range(200):
            out.write(b"x" * 1_000_000)
        out.write(b'"}\n{"text": "b"}\n')
    got = load(path=str(tmp_path / "a.jsonl"))
    assert (got.rows["text"].to_list(), got.reasons, got.lines) == (["a", "b"], ["line_too_long"], 3)


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt"])
def test_truncated_compression(load: Any, tmp_path: Path, kind: str, name: str) -> None:
    """A compressed file that stops short gives what can be read and one bad row for its end."""
    records = [{"text": f"row {i} " + "".join(chr(97 + (i * 7 + j * j) % 26) for j in range(80))} for i in range(4000)]
    plain = {
        "a.jsonl": b"".join(orjson.dumps(r) + b"\n" for r in records),
        "a.json": orjson.dumps(records),
        "a.csv": b"text\n" + b"".join(r["text"].encode() + b"\n" for r in records),
        "a.txt": b"".join(r["text"].encode() + b"\n" for r in records),
    }[name]
    packed = gzip.compress(plain) if kind == "gz" else zstandard.ZstdCompressor(write_checksum=True).compress(plain)
    path = tmp_path / f"{name}.{kind}"
    path.write_bytes(packed)
    split = {"split": "line"} if name == "a.txt" else {}
    assert load(path=str(path), format="text", **split).rows.height == 4000
    path.write_bytes(packed[:-5])
    got = load(path=str(path), format="text", **split)
    assert got.reasons == ["truncated_file"]
    assert got.rows["text"].to_list() == [r["text"] for r in records[: got.rows.height]]
    assert got.lines == got.rows.height + 1


def test_corrupt_compression(load: Any, tmp_path: Path) -> None:
    """Damage inside a compressed file ends it with one bad row."""
    parts = [b"".join(b'{"text": "%d-%d"}\n' % (k, i) for i in range(5000)) for k in range(2)]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(parts[0]) + b"\x1f\x8bgarbage that is no member")
    got = load(path=str(path))
    assert got.rows.height == 5000
    assert got.reasons == ["corrupt_file"]


def test_csv_records_that_break(load: Any, tmp_path: Path) -> None:
    """Wrong field counts, broken quotes and bad bytes cost one line each."""
    (tmp_path / "a.csv").write_bytes(
        b'question,answer\nq1,a1\nq2\nq3,a3,x\n\n"q4" x,a4\nq5,"open\nq6,a6\n\xff\xfe,a7\nq8,"a\n8"\n'
    )
    got = load(path=str(tmp_path / "a.csv"))
    assert [(bad.line, bad.reason) for bad in got.bad] == [
        (3, "wrong_field_count"),
        (4, "wrong_field_count"),
        (6, "malformed_csv"),
        (7, "malformed_csv"),
        (9, "invalid_encoding"),
    ]
    assert [[m["content"] for m in row] for row in got.rows["messages"].to_list()] == [
        ["q1", "a1"],
        ["q6", "a6"],
        ["q8", "a\n8"],
    ]
    assert got.blank == 1


def test_empty_files(load: Any, tmp_path: Path) -> None:
    """An empty file gives no rows and is named; beside a full one it changes nothing."""
    (tmp_path / "a.jsonl").write_bytes(b"")
    got = load(path=str(tmp_path / "a.jsonl"))
    assert (got.rows.height, got.units, got.shape.note) == (0, [], f"{tmp_path}/a.jsonl: empty; no records")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "x"}\n')
    got = load(path=str(tmp_path))
    assert (got.rows.height, got.origin["file"].to_list()) == (1, [1])
    for name, data in (
        ("c.json", b"[]"),
        ("d.jsonl.gz", gzip.compress(b"", mtime=0)),
        ("e.csv", b"text\n"),
        ("f.jsonl", b"\n\n"),
    ):
        (tmp_path / name).write_bytes(data)
        assert load(path=str(tmp_path / name)).rows.height == 0


def test_a_file_of_nothing_readable_is_one_error(load: Any, tmp_path: Path) -> None:
    """A file without one readable record stops the source, saying what is wrong with its first."""
    (tmp_path / "a.jsonl").write_bytes(b"this is not JSON at all\n" * 10)
    with pytest.raises(SourceError, match=r"no record of .*a.jsonl can be read as jsonl; line 1: malformed_json"):
        load(path=str(tmp_path / "a.jsonl"))
