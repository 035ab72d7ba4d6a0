"""The lock of a store in an object store: an object made only if there is none, with its owner and a heartbeat.

It keeps two runs from working side by side; it does not keep one out that was suspended for longer than the lock lasts
and then goes on. That does no harm to a result: parts commit whole, and hold the same bytes whoever writes them.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import orjson

from curate.errors import StoreError
from curate.places import file_system, files_below, reaching

BEAT_SECONDS = 20.0
STALE_SECONDS = 120.0
"""A lock without a heartbeat for this long is taken over; one of a dead process on this machine at once."""


@contextmanager
def remote_lock(root: Path) -> Iterator[None]:
    """Holds the lock object of a store; a thread beats for as long.

    Raises:
        StoreError: when another run holds it, or the place can't be reached.
    """
    mine = {"host": socket.gethostname(), "pid": os.getpid(), "token": secrets.token_hex(8)}
    with reaching(root):
        _take(root, mine)
    over = Event()
    beating = Thread(target=_beat, args=(root, mine, over), daemon=True)
    beating.start()
    try:
        yield
    finally:
        over.set()
        beating.join()
        with suppress(Exception):
            if _owner(root) == mine:
                _remove(root)


def _take(root: Path, mine: dict[str, Any]) -> None:
    fs, inner = file_system(root / ".lock")
    for _ in range(2):
        try:
            fs.pipe_file(inner, orjson.dumps(mine), mode="create")
            return
        except FileExistsError:
            _clear_if_dead(root)
    raise _in_use(root, _owner(root))


def _clear_if_dead(root: Path) -> None:
    """Removes the lock of a run that is dead or silent.

    Raises:
        StoreError: when its run lives.
    """
    owner = _owner(root)
    here = owner.get("host") == socket.gethostname()
    silent = time.time() - files_below(root / ".lock").get("", (0, 0.0))[1]
    if not (here and not _alive(int(owner.get("pid", 0)))) and silent < STALE_SECONDS:
        raise _in_use(root, owner)
    with suppress(FileNotFoundError):
        _remove(root)


def _in_use(root: Path, owner: dict[str, Any]) -> StoreError:
    who = f"process {owner['pid']} on {owner['host']}" if "host" in owner else "another run"
    return StoreError(
        f"{root}: {who} is using this store; wait for it, or name another `store:` in the recipe. If it is dead, its "
        f"lock ends {STALE_SECONDS:.0f} seconds after its last sign of life"
    )


def _owner(root: Path) -> dict[str, Any]:
    fs, inner = file_system(root / ".lock")
    try:
        found = orjson.loads(fs.cat_file(inner))
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _remove(root: Path) -> None:
    fs, inner = file_system(root / ".lock")
    fs.rm_file(inner)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _beat(root: Path, mine: dict[str, Any], over: Event) -> None:
    """Writes the lock anew from time to time; one that was taken over is left to its new owner."""
    fs, inner = file_system(root / ".lock")
    while not over.wait(BEAT_SECONDS):
        with suppress(Exception):  # the next beat may succeed
            if _owner(root) != mine:
                return
            fs.pipe_file(inner, orjson.dumps(mine))
