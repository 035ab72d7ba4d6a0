"""Every kind of file gives the same rows."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import fsspec
import openpyxl
import orjson
import polars as pl
import pyarrow as pa
import pytest
import zstandard

from curate.sources import SourceFile, Unit, units
from curate.sources.spec import SourceSpec

RECORDS = [{"question": f"问{i}\n第二行", "answer": f'答, "{i}"'} for i in range(50)]
LINES = b"".join(orjson.dumps(r) + b"\n" for r in RECORDS)
ARRAY = orjson.dumps(RECORDS)
PRETTY = orjson.dumps(RECORDS, option=orjson.OPT_INDENT_2)


def _expect(got: Any) -> None:
    texts = [[m["content"] for m in row] for row in got.rows["messages"].to_list()]
    assert texts == [[r["question"], r["answer"]] for r in RECORDS]
    assert not got.bad


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", LINES),
        ("a.ndjson", LINES),
        ("lines.json", LINES),
        ("a.json", ARRAY),
        ("array.jsonl", ARRAY),
        ("pretty.json", PRETTY),
        ("inner.json", b'{"version": {"a": [1]}, "data": ' + PRETTY + b', "n": 3}\n'),
        ("objects.json", b"\n".join(orjson.dumps(r, option=orjson.OPT_INDENT_2) for r in RECORDS)),
        ("a.jsonl.gz", gzip.compress(LINES, mtime=0)),
        ("members.jsonl.gz", gzip.compress(LINES[:1000], mtime=0) + gzip.compress(LINES[1000:], mtime=0) + b"\0" * 99),
        ("a.json.gz", gzip.compress(ARRAY, mtime=0)),
        ("a.jsonl.zst", zstandard.compress(LINES)),
        ("frames.jsonl.zst", zstandard.compress(LINES[:1000]) + zstandard.compress(LINES[1000:])),
        ("no_suffix", ARRAY),
    ],
)
def test_json_kinds(load: Any, tmp_path: Path, name: str, data: bytes) -> None:
    """Lines, arrays, pretty arrays, arrays inside an object and compressed files read alike."""
    (tmp_path / name).write_bytes(data)
    _expect(load(path=str(tmp_path / name)))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "semi.csv", "a.csv.gz"])
def test_csv_kinds(load: Any, tmp_path: Path, name: str) -> None:
    """Tables of text with quoted newlines read alike, whatever separates their columns."""
    separator = {"a.tsv": "\t", "semi.csv": ";"}.get(name, ",")
    text = pl.DataFrame(RECORDS).write_csv(separator=separator).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    got = load(path=str(tmp_path / name))
    _expect(got)
    assert got.origin["line"].to_list()[:3] == [2, 4, 6]


def test_binary_tables(load: Any, tmp_path: Path) -> None:
    """Parquet, Arrow files and streams and Excel sheets read alike."""
    frame = pl.DataFrame(RECORDS)
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=10)
    frame.write_ipc(tmp_path / "a.arrow")
    frame.write_ipc_stream(tmp_path / "stream.arrow")
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in [["question", "answer"], *frame.iter_rows()]:
        sheet.append(list(row))
    book.save(tmp_path / "a.xlsx")
    for name in ("a.parquet", "a.arrow", "stream.arrow", "a.xlsx"):
        got = load(path=str(tmp_path / name))
        _expect(got)
        first = 2 if name.endswith("xlsx") else 1
        assert got.origin["line"].to_list() == list(range(first, first + 50))
    assert load(path=str(tmp_path / "a.xlsx")).shape.encoding == "binary"


def test_nested_parquet(load: Any, tmp_path: Path) -> None:
    """Messages stored as lists of structs, with dates and numbers beside them, are read."""
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 0}]
    table = pa.table(
        {"messages": [messages], "when": pa.array([0], pa.timestamp("s")), "score": [float("nan")], "raw": [b"x"]}
    )
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    got = load(path=str(tmp_path / "a.parquet"))
    assert [m["content"] for m in got.messages()] == ["q", "a"]
    meta = orjson.loads(got.rows["meta"][0])
    assert meta["when"].startswith("1970-01-01")
    assert meta["raw"] == "x"
    assert "score" not in meta


def test_row_groups_and_batches_are_units(tmp_path: Path) -> None:
    """Parquet is cut by row groups and Arrow files by record batches, each unit knowing its first record."""
    pl.DataFrame(RECORDS).write_parquet(tmp_path / "a.parquet", row_group_size=10)
    batches = [pa.RecordBatch.from_pylist(RECORDS[i : i + 10]) for i in range(0, 50, 10)]
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as out, pa.ipc.new_file(out, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    for name, kind in (("a.parquet", "parquet"), ("a.arrow", "arrow")):
        file = SourceFile(str(tmp_path / name), kind, "", 1, "")  # type: ignore[arg-type]
        spec = SourceSpec.model_validate({"name": "s", "path": name})
        assert [(u.start, u.end, u.line) for u in units(spec, [file], 1)] == [(i, i + 1, 10 * i + 1) for i in range(5)]
        assert units(spec, [file], 1 << 30) == [Unit(0, file, 0, 5, 1)]


def test_saved_dataset(load: Any, tmp_path: Path) -> None:
    """A folder written by `save_to_disk`, and a dataset of one split, are read through their state."""
    for folder in (tmp_path / "ds", tmp_path / "dict" / "train"):
        folder.mkdir(parents=True)
        pl.DataFrame(RECORDS).write_ipc_stream(folder / "data-00000-of-00001.arrow")
        (folder / "cache-123.arrow").write_bytes(b"not data")
        (folder / "dataset_info.json").write_text("{}")
        (folder / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    (tmp_path / "dict" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    _expect(load(path=str(tmp_path / "ds")))
    _expect(load(path=str(tmp_path / "dict")))


def test_any_url(load: Any) -> None:
    """An fsspec URL, its folder and its glob give the rows a local file gives."""
    with fsspec.open("memory://bucket/part/a.jsonl", "wb") as out:
        out.write(LINES)
    for path in ("memory://bucket/part/a.jsonl", "memory://bucket/part", "memory://bucket/*/*.jsonl"):
        got = load(path=path)
        _expect(got)
        assert got.files[0].path == "memory:///bucket/part/a.jsonl"


@pytest.mark.parametrize(
    ("split", "texts", "blank"),
    [
        ("file", ["一\n二\n\n三"], 0),
        ("blank_line", ["一\n二", "三"], 0),
        ("line", ["一", "二", "三"], 3),
    ],
)
def test_plain_text(load: Any, tmp_path: Path, split: str, texts: list[str], blank: int) -> None:
    """A document is the file, a paragraph or a line; Windows newlines are newlines."""
    (tmp_path / "a.txt").write_bytes("一\r\n二\r\n\r\n三\r\n\r\n\r\n".encode())
    got = load(path=str(tmp_path / "a.txt"), split=split)
    assert got.rows["text"].to_list() == texts
    assert got.blank == blank
    assert got.rows["kind"].unique().to_list() == ["text"]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.csv", "a.json", "a.xlsx", "a.jsonl.gz"])
def test_every_kind_from_a_url(load: Any, tmp_path: Path, name: str) -> None:
    """Each kind of file is read through its URL as it is from disk."""
    frame = pl.DataFrame(RECORDS)
    if name == "a.parquet":
        frame.write_parquet(tmp_path / name)
    elif name == "a.arrow":
        frame.write_ipc(tmp_path / name)
    elif name == "a.csv":
        frame.write_csv(tmp_path / name)
    elif name == "a.xlsx":
        book = openpyxl.Workbook()
        sheet: Any = book.active
        for row in [["question", "answer"], *frame.iter_rows()]:
            sheet.append(list(row))
        book.save(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(gzip.compress(LINES) if name.endswith("gz") else ARRAY)
    with fsspec.open(f"memory://kinds/{name}", "wb") as out:
        out.write((tmp_path / name).read_bytes())
    _expect(load(path=f"memory://kinds/{name}"))


def test_cells_of_a_workbook_are_text(load: Any, tmp_path: Path) -> None:
    """Long numbers keep their digits, empty cells are null, other sheets are named as unread."""
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in [["text", "phone", "none"], ["您好", 13800138000, None], [None, 1.5, "x"]]:
        sheet.append(row)
    book.create_sheet("more")
    book.save(tmp_path / "a.xlsx")
    got = load(path=str(tmp_path / "a.xlsx"))
    assert orjson.loads(got.rows["meta"][0]) == {"phone": "13800138000"}
    assert (got.bad[0].line, got.reasons) == (3, ["null_content"])
    assert got.shape.note == f"{tmp_path}/a.xlsx: only the first sheet is read"


def test_damaged_parts_of_tables(load: Any, tmp_path: Path) -> None:
    """A table whose data is damaged behind good metadata ends in one bad row."""
    batches = [pa.RecordBatch.from_pylist(RECORDS) for _ in range(3)]
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    path.write_bytes(path.read_bytes()[:-1000])
    got = load(path=str(path))
    assert (got.rows.height, got.reasons) == (100, ["corrupt_file"])
    assert got.bad[0].line == 101
