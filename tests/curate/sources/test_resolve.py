"""Files are found in a stable order, and everything missing is said at once."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from curate.errors import SourceError
from curate.sources import SourceSpec, resolve


def _spec(*paths: str) -> SourceSpec:
    return SourceSpec.model_validate({"name": "s", "path": list(paths)})


def test_order_of_folders_and_globs(tmp_path: Path) -> None:
    """Paths keep their order, what they expand to is sorted, nothing comes twice, hidden files stay out."""
    for name in ("b.jsonl", "a.txt", "sub/c.csv.gz", ".hidden.json", "notes.pdf", "README.md", "__pycache__/x.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(b"x") if name.endswith("gz") else b"{}")
    found = [os.path.relpath(f.path, tmp_path) for f in resolve(_spec(str(tmp_path)))]
    assert found == ["a.txt", "b.jsonl", "sub/c.csv.gz"]
    found = [os.path.relpath(f.path, tmp_path) for f in resolve(_spec(f"{tmp_path}/b.jsonl", f"{tmp_path}/*.*l"))]
    assert found == ["b.jsonl"]
    found = [os.path.relpath(f.path, tmp_path) for f in resolve(_spec(f"{tmp_path}/**/*.gz"))]
    assert found == ["sub/c.csv.gz"]


def test_everything_missing_is_one_error(tmp_path: Path) -> None:
    """One error names each missing path with the nearest name there is."""
    (tmp_path / "train.jsonl").write_bytes(b"{}")
    (tmp_path / "empty").mkdir()
    paths = [f"{tmp_path}/tran.jsonl", f"{tmp_path}/*.csv", f"{tmp_path}/empty", f"{tmp_path}/train.jsonl"]
    with pytest.raises(SourceError) as caught:
        resolve(_spec(*paths))
    message = str(caught.value)
    assert f"tran.jsonl: no such file or folder; did you mean {tmp_path}/train.jsonl?" in message
    assert "*.csv: the pattern matches no file" in message
    assert "empty: the folder holds no data file" in message


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.parquet", b"PAR1 no more", "can't be read as parquet"),
        ("a.arrow", b"ARROW1 no more", "can't be read as arrow"),
        ("a.xlsx", b"no sheet", "can't be read as xlsx"),
        ("a.jsonl.gz", b"not gzip", "can't be read"),
        ("a.jsonl.zst", b"not zstandard", "can't be read"),
        ("a.bin", b"\x00\x01\x02", "unknown kind of file"),
        ("a.parquet.gz", gzip.compress(b"PAR1", mtime=0), "decompress it first"),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    """A file that can't be read is an error before work starts."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=words):
        resolve(_spec(str(tmp_path / name)))


def test_unknown_protocol() -> None:
    """A URL no package serves says so."""
    with pytest.raises(SourceError, match="no file system for nope://"):
        resolve(_spec("nope://bucket/a.jsonl"))


def test_dataset_of_several_splits(tmp_path: Path) -> None:
    """A saved dataset of several splits asks for one of them."""
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(SourceError, match=r"give the path of one: .*/train, .*/test"):
        resolve(_spec(str(tmp_path)))


def test_spec_is_checked() -> None:
    """A spec refuses unknown fields, roles that are not ours and encodings that don't exist; it survives a dump."""
    with pytest.raises(ValidationError, match="pth"):
        SourceSpec.model_validate({"name": "s", "path": "x", "pth": 1})
    with pytest.raises(ValidationError, match="role 'a' is mapped to 'robot'"):
        SourceSpec.model_validate({"name": "s", "path": "x", "roles": {"a": "robot"}})
    with pytest.raises(ValidationError, match="unknown encoding 'utf-99'"):
        SourceSpec.model_validate({"name": "s", "path": "x", "encoding": "utf-99"})
    spec = _spec("a", "b")
    assert SourceSpec.model_validate(spec.model_dump()) == spec
    assert all(field.description for field in SourceSpec.model_fields.values())
