"""Output: the folder a result is built in, and how it comes to stand in the output's place.

A local output is built in a hidden folder beside it and put in its place by one rename. A remote one is built in the
local cache (rows beside it, where every node can write) and copied object by object, its marker last: an output with
its marker is whole, one without is being written and says so.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

from curate.building import begin, settle
from curate.errors import StoreError
from curate.files import disk_errors, replace_folder, write_bytes
from curate.places import (
    cache_folder,
    file_system,
    files_below,
    is_remote,
    reaching,
    remove_folder,
    upload,
)

MARKER = "manifest.json"
"""The file by which an output folder is known to be ours."""

BEGUN = ".being-written"
"""The object that stands in a remote output while it is replaced."""


def building_folder(output: Path, key: str) -> Path:
    """Returns the folder an output is built in; a killed run goes on in the same one, less what it left half-written.

    Raises:
        StoreError: when the output is a file, a folder that holds something else than an earlier output, or a place
            that can't be written to.
    """
    if output.name in ("", ".."):
        raise StoreError(f"{output}: an output is a folder of its own, which is replaced as a whole; name one")
    if output.exists() and not output.is_dir():
        raise StoreError(f"{output}: this is a file; name a folder as `output:`")
    ours = (output / MARKER).is_file() or (is_remote(output) and (output / BEGUN).is_file())
    if not ours and output.exists() and any(output.iterdir()):
        raise StoreError(
            f"{output}: this folder is not empty and holds no {MARKER}, so it is not an earlier output; "
            "name another `output:` or empty it"
        )
    beside, name = _beside(output)
    for stale in beside.glob(f".{name}.building-*"):
        if stale.name != f".{name}.building-{key}":
            shutil.rmtree(stale, ignore_errors=True)
    folder = beside / f".{name}.building-{key}"
    with disk_errors(output):
        folder.mkdir(parents=True, exist_ok=True)
        begin(folder)
    for rest in folder.rglob(".*.tmp"):
        rest.unlink(missing_ok=True)
    return folder


def _beside(output: Path) -> tuple[Path, str]:
    if not is_remote(output):
        return output.parent, output.name
    return cache_folder() / "outputs", hashlib.sha256(str(output).encode()).hexdigest()[:16]


def shared_folder(folder: Path, output: Path) -> Path:
    """Returns where workers may write what belongs to an output that is built in ``folder``."""
    return output.with_name(folder.name) if is_remote(output) else folder


def publish(folder: Path, output: Path) -> None:
    """Puts the finished folder, and what workers wrote for it, in the output's place.

    Raises:
        StoreError: when the disk is full or the place refuses.
    """
    with disk_errors(output):
        settle(folder, cached=False)
    if is_remote(output):
        _copy_up(folder, output)
        remove_folder(shared_folder(folder, output))
        remove_folder(folder)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    replace_folder(folder, output)


def _copy_up(folder: Path, output: Path) -> None:
    """Uploads every file, the marker last; what an earlier output left is deleted before it."""
    files, before = sorted(files_below(folder)), files_below(output)
    fs, inner = file_system(output)
    shared = shared_folder(folder, output)
    write_bytes(output / BEGUN, b"curate is writing this output; it is whole when its marker is here\n")
    with reaching(output), suppress(FileNotFoundError):
        if MARKER in before:
            fs.rm_file(f"{inner}/{MARKER}")
    for name in files:
        if name != MARKER:
            upload(folder / name, output / name)
    there = sorted(files_below(shared))
    with reaching(output):
        for name in there:
            fs.cp_file(file_system(shared / name)[1], f"{inner}/{name}")
        for name in sorted(set(before) - set(files) - set(there) - {BEGUN}):
            fs.rm_file(f"{inner}/{name}")
    upload(folder / MARKER, output / MARKER)
    with reaching(output):
        fs.rm_file(f"{inner}/{BEGUN}")
