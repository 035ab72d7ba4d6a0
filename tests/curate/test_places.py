"""Places: URLs behave as paths do, are whole or not there, and carry no credentials."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from curate import places
from curate.errors import StoreError
from curate.files import atomic_open, write_bytes
from curate.places import files_below, is_remote, local_copy, place, remove_folder, trim
from curate.store import read_frame, read_json, write_frame
from tests.curate.object_store import BUCKET, object_store


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty bucket."""
    with object_store(tmp_path_factory.mktemp("cache")):
        yield place(BUCKET)


def test_local_names_are_plain_paths() -> None:
    """Nothing but another file system's URL is more than a pathlib path."""
    assert place("a/b") == Path("a/b")
    assert place("file:///a/b") == Path("/a/b")
    assert not is_remote(place("a"))
    assert local_copy(Path("a")) == Path("a")


@pytest.mark.parametrize("url", ["s3://key:word@bucket/x", "https://host/x?sig=word", "s3://key@bucket"])
def test_no_credentials_in_a_url(url: str) -> None:
    """A URL with a user, password or query is refused without repeating it."""
    with pytest.raises(StoreError, match="may carry no user, password or query") as caught:
        place(url)
    assert "word" not in str(caught.value).replace("password", "")


def test_an_unknown_file_system_is_told() -> None:
    """A protocol nobody serves is an error that names it."""
    with pytest.raises(StoreError, match=r"^nonsense://x: no file system for nonsense://"):
        place("nonsense://x")


def test_a_missing_package_is_told() -> None:
    """A protocol whose package is not installed is an error that says so."""
    if find_spec("gcsfs") is not None:
        pytest.skip("gcsfs is installed")
    with pytest.raises(StoreError, match=r"^gs://x/y: no file system for gs:// \(.*gcsfs.*install its package"):
        place("gs://x/y")


def test_frames_and_accounts_come_back(bucket: Path) -> None:
    """What is written is read, whole and in columns, in another process's copy of the path too."""
    frame = pl.DataFrame({"id": ["a", "b"], "n": [1, 2]})
    path = pickle.loads(pickle.dumps(bucket / "store" / "part-0.arrow"))
    assert not path.is_file()
    write_frame(path, frame)
    assert path.is_file()
    assert read_frame(path).equals(frame)
    assert read_frame(path, ["n"]).equals(frame.select("n"))
    write_bytes(bucket / "store/x.json", b'{"a": 1}')
    assert read_json(bucket / "store/x.json") == {"a": 1}
    assert set(files_below(bucket / "store")) == {"part-0.arrow", "x.json"}
    remove_folder(bucket / "store")
    remove_folder(bucket / "store")
    assert files_below(bucket / "store") == {}


def test_a_file_changed_elsewhere_is_fetched_anew(bucket: Path) -> None:
    """The cache knows content by its ETag, not by its name."""
    path = bucket / "changed"
    for content in (b"one", b"two"):
        write_bytes(path, content)
        assert local_copy(path).read_bytes() == content


def test_nothing_half_written_appears(bucket: Path) -> None:
    """An error while writing leaves no object and no rest in the cache."""
    before = set(places.cache_folder().iterdir())
    with pytest.raises(ZeroDivisionError), atomic_open(bucket / "half") as handle:
        handle.write(b"half" * (1 // len(b"")))
    assert not (bucket / "half").is_file()
    assert set(places.cache_folder().iterdir()) == before


def test_a_missing_bucket_is_told(bucket: Path) -> None:
    """A place that can't be written to is an error that names it."""
    with pytest.raises(StoreError, match=r"^s3://nowhere/x: can't be written \(.*is there such a bucket\?"):
        write_bytes(place("s3://nowhere/x"), b"")


def test_what_can_not_be_reached_is_never_taken_for_missing(monkeypatch: pytest.MonkeyPatch, bucket: Path) -> None:
    """A server that does not answer is an error, because a part taken for missing would be wrong data."""
    import s3fs

    write_bytes(bucket / "there", b"")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(StoreError, match=r"^s3://bucket/there: can't be reached \(EndpointConnectionError"):
            place("s3://bucket/there").is_file()
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not used for longest goes first; what was just used stays."""
    monkeypatch.setenv("CURATE_CACHE", str(tmp_path))
    for age, name in enumerate(["new", "old", "older", "oldest"]):
        (tmp_path / name).write_bytes(b"0" * 100)
        used = time.time() - 3600 * age
        os.utime(tmp_path / name, (used, used))
    trim(250)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "old"]
    trim(0)
    assert [p.name for p in tmp_path.iterdir()] == ["new"]
