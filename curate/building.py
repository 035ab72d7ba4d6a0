"""Folders under construction: their files are synced to the disk together at the end, not each before the next begins.

A file renamed into place is whole for every program of this machine from then on, however the one that wrote it ends. Only a
machine that goes down loses what had not reached its disk. So a folder under construction holds the mark of the boot
it was begun in: a run that goes on in the same boot trusts what is there, and one after another boot, or on another
machine, begins the folder anew. A finished step is settled when the one after it has ended: nobody waits for what the
system has written meanwhile. A process on a machine other than the mark's syncs each file it writes, and so does every
process where the system does not tell its boots apart.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from curate.places import is_remote, remove_folder

MARK = ".begun"
SCRATCH = ("utterances", "occurrences", "work")
"""Folders below one under construction that hold what is of no use once it is done; it is never synced."""
_DOOMED = b""
"""The mark of a folder that no boot goes on with; it takes no room on a full disk."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_WRITE = 2
"""`SYNC_FILE_RANGE_WRITE`: begin to write the dirty pages, and don't wait."""
_DEPTH = 3
"""How far below a folder under construction its files may lie."""


@cache
def _boot() -> bytes:
    """Returns what tells this boot of this machine from every other, or nothing where that is not known."""
    try:
        return _BOOT.read_bytes().strip()
    except OSError:
        return b""


def _mark(folder: Path) -> bytes | None:
    try:
        return (folder / MARK).read_bytes()
    except OSError:
        return None


def under_construction(folder: Path) -> bool:
    """True for a local folder that bears a mark, of whatever boot."""
    return not is_remote(folder) and _mark(folder) is not None


def trusted(folder: Path) -> bool:
    """True when all a folder holds is sure to be whole: it is settled, or was begun in this boot of this machine."""
    return not under_construction(folder) or _mark(folder) == _boot() != b""


def begin(folder: Path) -> None:
    """Puts a local folder under construction; one begun in another boot loses what it holds.

    Raises:
        OSError: when the folder can't be made.
    """
    if is_remote(folder):
        return
    mark = _mark(folder)
    if mark is not None and mark != _boot():
        _discard(folder)
    if _boot() and mark != _boot():
        folder.mkdir(parents=True, exist_ok=True)
        _put_mark(folder, _boot())


def _put_mark(folder: Path, mark: bytes) -> None:
    """Writes the mark to the disk, before anything that it speaks of."""
    with (folder / MARK).open("wb") as file:
        file.write(mark)
        file.flush()
        os.fsync(file.fileno())
    with _opened(folder) as entries:
        os.fsync(entries)


def _discard(folder: Path) -> None:
    """Deletes a folder, its mark last, so that no rest of it is ever trusted."""
    _put_mark(folder, _DOOMED)
    for path in folder.iterdir():
        if path.is_dir():
            remove_folder(path)
        elif path.name != MARK:
            path.unlink()
    remove_folder(folder)


def sync(file: int, path: Path) -> None:
    """Syncs an open file that will stand at a path, or begins to, when that lies in a folder under construction."""
    building = next((folder for folder in islice(path.parents, _DEPTH) if _mark(folder) == _boot() != b""), None)
    if building is None:
        os.fsync(file)
    elif _kept(path, building):
        _begin_writing(file)


def settle(folder: Path, cached: bool = True) -> None:
    """Syncs what a folder under construction holds and keeps: it is one no more.

    What is not read again soon need not stay ``cached``: its memory is of use to others.

    Raises:
        OSError: when a file can't be synced (a full disk). What the folder held is deleted then, for nobody knows how
            much of it was written.
    """
    if not under_construction(folder):
        return
    try:
        for finish in (_begin_writing, os.fsync):  # all are under way before the first is waited for
            _each(folder, finish)
    except OSError:
        _discard(folder)
        raise
    if not cached and hasattr(os, "posix_fadvise"):
        _each(folder, lambda file: os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED))
    (folder / MARK).unlink()


def _kept(path: Path, folder: Path) -> bool:
    return path.relative_to(folder).parts[0] not in SCRATCH


def _each(folder: Path, fn: Callable[[int], object]) -> None:
    """Calls a function with every file, open, that a folder holds and keeps."""
    for place, folders, names in os.walk(folder):
        if place == str(folder):
            folders[:] = [name for name in folders if name not in SCRATCH]
        for name in names:
            with _opened(Path(place, name)) as file:
                fn(file)


def _begin_writing(file: int) -> None:
    """Has the system begin to write a file to the disk, where it can be told to."""
    if start := _range_writer():
        start(file, 0, 0, _WRITE)


@cache
def _range_writer() -> Callable[[int, int, int, int], int] | None:
    """Returns Linux' `sync_file_range`, which Python has no name for."""
    found: Any = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if found is not None:
        found.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return found


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)
