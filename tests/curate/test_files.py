"""Files: writes that are whole or not there, and digests that are remembered but never stale."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from curate.errors import SourceError, StoreError
from curate.files import Digests, atomic_open, replace_folder, write_bytes, write_json
from curate.store import write_frame


def names(folder: Path) -> list[str]:
    """Returns what is in a folder, hidden files too."""
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_only_when_complete(tmp_path: Path) -> None:
    """While it is written the old content stands; an error leaves it, and nothing beside it."""
    path = tmp_path / "deep" / "file"
    write_bytes(path, b"old")
    with suppress(RuntimeError), atomic_open(path) as handle:
        handle.write(b"half")
        assert path.read_bytes() == b"old"
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert names(path.parent) == ["file"]
    write_json(path, {"b": 1, "a": 2})
    assert path.read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told(tiny_disk: Path) -> None:
    """Bytes or frames that don't fit raise StoreError with advice, and leave nothing behind."""
    for write in (
        lambda path: write_bytes(path, b"x" * 200_000),
        lambda path: write_frame(path, pl.DataFrame({"a": range(100_000)})),
    ):
        with pytest.raises(StoreError, match=r"part: the disk is full; free some space and run the same command again"):
            write(tiny_disk / "part")
        assert names(tiny_disk) == []


def test_a_place_that_refuses_is_told(tmp_path: Path) -> None:
    """A folder that is a file raises StoreError, naming the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/below: can't be written \(.+\); name another folder"):
        write_bytes(tmp_path / "file" / "below", b"")


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    """The new folder stands under the name, the old one is gone, also when an earlier try left one behind."""
    for name in ("new", "target", ".target.old"):
        write_bytes(tmp_path / name / "which", name.encode())
    replace_folder(tmp_path / "new", tmp_path / "target")
    assert (tmp_path / "target" / "which").read_bytes() == b"new"
    assert names(tmp_path) == ["target"]


def test_a_digest_follows_the_content(tmp_path: Path) -> None:
    """Changed content gives another digest at once; equal content the same one under any name."""
    digests = Digests(tmp_path / "memo.json")
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("one")
    second.write_text("one")
    before = digests(str(first))
    assert before == digests(str(second))
    first.write_text("two")
    os.utime(first, ns=(1, 1))
    assert digests(str(first)) != before


def test_a_folder_counts_by_relative_names_and_contents(tmp_path: Path) -> None:
    """A moved folder has the same digest; a renamed file in it has not."""
    digests = Digests(tmp_path / "memo.json")
    write_bytes(tmp_path / "one" / "sub" / "x", b"1")
    write_bytes(tmp_path / "two" / "sub" / "x", b"1")
    assert digests(str(tmp_path / "one")) == digests(str(tmp_path / "two"))
    (tmp_path / "two" / "sub" / "x").rename(tmp_path / "two" / "sub" / "y")
    assert digests(str(tmp_path / "one")) != digests(str(tmp_path / "two"))


def test_digests_are_remembered(tmp_path: Path) -> None:
    """A second process does not read a file again that has the same size, time and inode."""
    memo, path = tmp_path / "memo.json", tmp_path / "a"
    path.write_text("one")
    first = Digests(memo)
    known = first(str(path))
    first.save()
    stat = path.stat()
    with path.open("r+") as handle:
        handle.write("two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert Digests(memo)(str(path)) == known, "the memo is keyed by size, time and inode"


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "7"])
def test_a_damaged_memo_is_forgotten(tmp_path: Path, text: str) -> None:
    """A memo that is no mapping is as good as none."""
    (tmp_path / "memo.json").write_text(text)
    (tmp_path / "a").write_text("one")
    assert Digests(tmp_path / "memo.json")(str(tmp_path / "a"))


def test_nothing_at_the_path(tmp_path: Path) -> None:
    """A missing file is a SourceError that names it."""
    with pytest.raises(SourceError, match=r"none: no such file or folder"):
        Digests(tmp_path / "memo.json")(str(tmp_path / "none"))


def test_what_is_not_a_file_is_remembered_by_its_mark(tmp_path: Path) -> None:
    """While the mark is the same nothing is computed; with another it is."""
    digests = Digests(tmp_path / "memo.json")
    assert digests.remember("url", "etag-1", lambda: "one") == "one"
    assert digests.remember("url", "etag-1", lambda: "two") == "one"
    assert digests.remember("url", "etag-2", lambda: "two") == "two"
