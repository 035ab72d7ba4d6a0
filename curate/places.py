"""Places: where stores and outputs lie. A local one is a pathlib path; any other URL is a path of the same methods.

An object store knows no rename, and needs none: an object is there when its upload is whole, and never half. What is
read from it is kept in a local cache of bounded size, so that frames are mapped as local ones are.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from curate.errors import CurateError, StoreError

CACHE_BYTES = 16 << 30
"""What the local cache of remote files may hold; files used within the last minutes stay in any case."""

_FRESH_SECONDS = 600.0


def place(name: str) -> Path:
    """Returns a path, or for the URL of another file system an object of the same methods.

    Raises:
        StoreError: for a URL that carries credentials, or whose file system is not installed.
    """
    if "://" not in name:
        return Path(name)
    if name.startswith("file://"):
        return Path(name.removeprefix("file://"))
    check_url(name)
    from curate.remote import RemotePath

    try:
        remote = RemotePath(name.rstrip("/"), use_listings_cache=False)
        assert remote.fs is not None, "made here, so that a missing package is told at once"
        return cast(Path, remote)
    except (ImportError, ValueError) as error:
        raise StoreError(
            f"{name}: no file system for {name.split('://')[0]}:// ({error}); install its package"
        ) from error


def check_url(name: str) -> None:
    """Refuses a URL that carries credentials: it would be written into locks, cards and messages.

    Raises:
        StoreError: naming the kind of URL, and never what it carries.
    """
    scheme, _, rest = name.partition("://")
    if "@" in rest.partition("/")[0] or "?" in rest:
        raise StoreError(
            f"a {scheme}:// URL of a store or output may carry no user, password or query; give credentials by the "
            "environment or the configuration of its package"
        )


def is_remote(path: Path) -> bool:
    """True for a place that is not a local path."""
    return not isinstance(path, Path)


def file_system(path: Path) -> tuple[Any, str]:
    """Returns the fsspec file system of a remote place and the path inside it."""
    remote: Any = path
    return remote.fs, remote.path


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """Turns what a remote file system raises into a StoreError; that a file is missing passes as it is.

    Raises:
        StoreError: naming the place and the error.
    """
    try:
        yield
    except (FileNotFoundError, CurateError):
        raise
    except Exception as error:  # every file system has errors of its own
        raise StoreError(
            f"{path}: can't be reached ({type(error).__name__}: {error}); mend it and run the same command again: it resumes"
        ) from error


def cache_folder() -> Path:
    """Returns the folder of the local cache: CURATE_CACHE, or one of the user's own."""
    named = os.environ.get("CURATE_CACHE")
    folder = Path(named) if named else Path.home() / ".cache" / "curate"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def fresh_file() -> Path:
    """Returns a name in the cache that nobody uses."""
    return cache_folder() / f".{os.getpid()}-{secrets.token_hex(8)}.tmp"


def upload(local: Path, path: Path) -> None:
    """Puts a whole local file where it belongs; until it is whole, nothing is there.

    Raises:
        StoreError: when it can't be put there.
    """
    fs, inner = file_system(path)
    try:
        with reaching(path):
            fs.put_file(str(local), inner)
    except FileNotFoundError as error:
        raise StoreError(f"{path}: can't be written ({error}); is there such a bucket?") from error


def local_copy(path: Path) -> Path:
    """Returns a local path, or for a remote file that of its copy in the cache, fetched when it is not there.

    Raises:
        FileNotFoundError: when there is no such file.
        StoreError: when the place can't be reached.
    """
    if not is_remote(path):
        return path
    fs, inner = file_system(path)
    with reaching(path):
        copy = _cached(path, fs.info(inner))
        if copy.is_file():
            os.utime(copy)
            return copy
        tmp = fresh_file()
        try:
            fs.get_file(inner, str(tmp))
            tmp.replace(copy)
        finally:
            tmp.unlink(missing_ok=True)
    trim(CACHE_BYTES)
    return copy


@contextmanager
def open_ranges(path: Path) -> Iterator[Any]:
    """Opens a file to read some ranges of it; of a remote one nothing else is fetched, and nothing is kept."""
    if not is_remote(path):
        with path.open("rb") as handle:
            yield handle
        return
    fs, inner = file_system(path)
    with reaching(path), fs.open(inner, "rb", cache_type="none") as handle:
        yield handle


def keep_copy(local: Path, path: Path) -> None:
    """Moves a file that was just uploaded into the cache, so that it need not be fetched."""
    fs, inner = file_system(path)
    with suppress(Exception):
        local.replace(_cached(path, fs.info(inner)))
        trim(CACHE_BYTES)


def _cached(path: Path, info: dict[str, Any]) -> Path:
    mark = next((str(info[name]) for name in ("ETag", "etag", "md5Hash", "mtime", "created") if info.get(name)), "")
    name = hashlib.sha256(f"{path}\0{mark}\0{info.get('size')}".encode()).hexdigest()[:40]
    return cache_folder() / f"{name}{path.suffix}"


def trim(most: int) -> None:
    """Deletes what was not used for longest until the cache holds at most ``most`` bytes of older files."""
    found = []
    for path in cache_folder().iterdir():
        with suppress(OSError):
            stat = path.stat()
            found.append((stat.st_mtime, stat.st_size, path))
    total = sum(size for _, size, _ in found)
    old = time.time() - _FRESH_SECONDS
    for used, size, path in sorted(found):
        if total <= most or used > old:
            return
        path.unlink(missing_ok=True)
        total -= size


def remove_folder(path: Path) -> None:
    """Deletes a folder with all it holds, if it is there."""
    if not is_remote(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    fs, inner = file_system(path)
    with suppress(FileNotFoundError), reaching(path):
        fs.rm(inner, recursive=True)


def files_below(path: Path) -> dict[str, tuple[int, float]]:
    """Returns size and modification time (seconds) of each file below a folder, by its path relative to it."""
    if not is_remote(path):
        stats = [(p, p.stat()) for p in path.rglob("*") if p.is_file()]
        return {p.relative_to(path).as_posix(): (stat.st_size, stat.st_mtime) for p, stat in stats}
    fs, inner = file_system(path)
    with reaching(path):
        found = fs.find(inner, detail=True)
    return {
        name.removeprefix(inner).lstrip("/"): (int(info["size"] or 0), _seconds(info)) for name, info in found.items()
    }


def _seconds(info: dict[str, Any]) -> float:
    value = next(
        (info[name] for name in ("LastModified", "mtime", "updated", "last_modified", "created") if info.get(name)), 0.0
    )
    return float(value.timestamp() if hasattr(value, "timestamp") else value) if not isinstance(value, str) else 0.0
