"""Encodings are seen, named, and never guessed from single damaged bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curate.sources.encoding import sniff

CHINESE = "您好，请问有什么可以帮您？我想查询一下上个月的话费账单，谢谢。\n" * 20


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (CHINESE.encode(), "utf-8"),
        (CHINESE.encode("gb18030"), "gb18030"),
        (CHINESE.encode("utf-16"), "utf-16"),
        (CHINESE.encode("utf-16-be"), "utf-16-be"),
        ("plain English text, nothing else\n".encode("utf-16-le") * 9, "utf-16-le"),
        (b"\xef\xbb\xbf" + CHINESE.encode(), "utf-8"),
        (b"plain", "utf-8"),
        (b"", "utf-8"),
        (CHINESE.encode()[:-2], "utf-8"),
        (CHINESE.encode() + b"\xff\xfe\xb0", "utf-8"),
        (CHINESE.encode("gb18030") + b"\xff\xff", "gb18030"),
        (b"one bad byte \xe9 in ASCII", "utf-8"),
        ("Les élèves étaient très intéressés, déjà là où ça gêne".encode("latin-1"), "utf-8"),
    ],
)
def test_sniff(data: bytes, encoding: str) -> None:
    """The codec is the one the text was written in; damage and Latin text stay UTF-8, row by row refused."""
    assert sniff(data) == encoding


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "txt"])
def test_every_text_kind_in_every_encoding(load: Any, tmp_path: Path, kind: str, encoding: str) -> None:
    """Lines, arrays, tables and documents read the same in each encoding, which the shape names."""
    texts = [f"第{i}号客户说：你好，世界" for i in range(100)]
    records = [{"text": text} for text in texts]
    plain = {
        "jsonl": "".join(orjson.dumps(r).decode() + "\r\n" for r in records),
        "json": orjson.dumps(records, option=orjson.OPT_INDENT_2).decode(),
        "csv": pl.DataFrame(records).write_csv(),
        "txt": "\n".join(texts),
    }[kind]
    path = tmp_path / f"a.{kind}"
    path.write_bytes(plain.encode(encoding))
    got = load(path=str(path), split="line")
    assert got.rows["text"].to_list() == texts
    assert got.shape.encoding == encoding.removesuffix("-sig")
    assert got.bad == []


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "txt"])
@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-16-le"])
def test_bad_bytes_cost_one_row(load: Any, tmp_path: Path, kind: str, encoding: str) -> None:
    """Bytes that are no text refuse the record they are in, in every encoding and kind."""
    broken = {"gb18030": b"\xff\xff", "utf-8": b"\xff", "utf-16-le": b"\x00\xd8\x41\x00"}[encoding]
    before, mark, after = ("第一号客户的话费账单" * 9), "标记", ("第二号客户的话费账单" * 9)
    rows = {
        "jsonl": '{{"text": "{}"}}\n{{"text": "{}"}}\n{{"text": "{}"}}\n',
        "json": '[{{"text": "{}"}},\n {{"text": "{}"}},\n {{"text": "{}"}}]\n',
        "csv": "text\n{}\n{}\n{}\n",
        "txt": "{}\n{}\n{}\n",
    }[kind].format(before, mark, after)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(rows.encode(encoding).replace(mark.encode(encoding), broken))
    got = load(path=str(path), split="line", encoding=encoding)
    assert got.reasons == ["invalid_encoding"]
    assert got.rows["text"].to_list() == [before, after]
    assert got.bad[0].line == (3 if kind == "csv" else 2)


def test_encoding_can_be_said(load: Any, tmp_path: Path) -> None:
    """`encoding:` overrules detection with any codec."""
    (tmp_path / "a.csv").write_bytes("text\ndéjà vu\n".encode("latin-1"))
    assert load(path=str(tmp_path / "a.csv"), encoding="latin-1").rows["text"].to_list() == ["déjà vu"]
