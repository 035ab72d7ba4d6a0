"""Files: atomic writes, and content digests remembered by path, size, modification time and inode."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import orjson
import xxhash

from curate.building import sync
from curate.errors import SourceError, StoreError
from curate.places import fresh_file, is_remote, keep_copy, upload

_BLOCK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG)
"""A place that can't be written to, whatever is free on the disk."""


@contextmanager
def atomic_open(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file for writing that appears under its name only when complete: tmp, fsync, rename; remotely: upload.

    In a folder under construction (`curate.building`) the fsync is left to its end.

    Raises:
        StoreError: when the disk is full or the place refuses; nothing half-written is left under the name.
    """
    if is_remote(path):
        local = fresh_file()
        with atomic_open(local) as handle:
            yield handle
        try:
            upload(local, path)
            keep_copy(local, path)
        finally:
            local.unlink(missing_ok=True)
        return
    tmp = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}.tmp")
    with disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tmp.open("wb") as handle:
                yield handle
                handle.flush()
                sync(handle.fileno(), path)
            tmp.replace(path)
        except BaseException:
            with suppress(OSError):
                tmp.unlink(missing_ok=True)
            raise


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Has what goes wrong with a place told as what can be done about it.

    Raises:
        StoreError: when the disk is full or the place refuses.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


def disk_error(path: Path, error: OSError) -> Exception:
    """Returns a StoreError that says what is wrong with a place, or the error itself when it is none of the place's."""
    if error.errno in _REFUSED:
        return StoreError(f"{path}: can't be written ({error.strerror}); name another folder or mend its rights")
    native = any(f"(os error {number})" in str(error) for number in _FULL)  # polars raises without an errno
    if error.errno not in _FULL and not native:
        return error
    return StoreError(f"{path}: the disk is full; free some space and run the same command again: it resumes")


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Writes a whole file atomically."""
    with atomic_open(path) as handle:
        handle.write(data)


def write_json(path: Path, value: object) -> None:
    """Writes a value as indented JSON with sorted keys, atomically."""
    write_bytes(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


def replace_folder(new: Path, target: Path) -> None:
    """Puts a finished folder in the place of another with two renames; the old one is deleted last."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def sha256_file(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes as hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _digest_file(path: Path) -> str:
    return _digest_stream(path.open("rb"))


def _digest_stream(stream: IO[bytes]) -> str:
    digest = xxhash.xxh3_128()
    with stream as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


class Digests:
    """Content digests (XXH3-128) of local files and folders, remembered between runs in one JSON file."""

    def __init__(self, memo: Path) -> None:
        """Reads the memo if there is one; a damaged memo is forgotten, never trusted."""
        self._memo = memo
        self._known: dict[str, list[str | int]] = {}
        self._changed = False
        with suppress(OSError, orjson.JSONDecodeError):
            found = orjson.loads(memo.read_bytes())
            self._known = found if isinstance(found, dict) else {}

    def __call__(self, name: str) -> str:
        """Returns the digest of a file, or of a folder's files by relative name.

        Raises:
            SourceError: when there is nothing at the path.
        """
        path = Path(name)
        if path.is_file():
            return self._file(path)
        if path.is_dir():
            parts = [(p.relative_to(path).as_posix(), self._file(p)) for p in sorted(path.rglob("*")) if p.is_file()]
            return xxhash.xxh3_128(orjson.dumps(parts)).hexdigest()
        raise SourceError(f"{name}: no such file or folder")

    def _file(self, path: Path) -> str:
        stat = path.stat()
        mark: list[str | int] = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        name = str(path.resolve())
        known = self._known.get(name)
        if known and known[1:] == mark:
            return str(known[0])
        digest = _digest_file(path)
        self._known[name] = [digest, *mark]
        self._changed = True
        return digest

    def remote(self, url: str) -> str:
        """Returns the digest of a remote file's content, remembered by what the file system says identifies it."""
        from fsspec.core import url_to_fs

        filesystem, path = url_to_fs(url)
        info = filesystem.info(path)
        mark = next((str(info[name]) for name in ("ETag", "etag", "md5Hash", "mtime", "created") if info.get(name)), "")
        return self.remember(url, f"{mark}/{info.get('size')}", lambda: _digest_stream(filesystem.open(path, "rb")))

    def remember(self, name: str, mark: str, compute: Callable[[], str]) -> str:
        """Returns the remembered digest of something that is not a local file while its mark (an ETag) is the same."""
        known = self._known.get(name)
        if known and known[1:] == [mark]:
            return str(known[0])
        digest = compute()
        self._known[name] = [digest, mark]
        self._changed = True
        return digest

    def save(self) -> None:
        """Writes the memo if it has grown."""
        if self._changed:
            write_bytes(self._memo, orjson.dumps(self._known, option=orjson.OPT_SORT_KEYS))
            self._changed = False
