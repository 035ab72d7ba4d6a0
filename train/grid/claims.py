"""Claims: at most one living worker runs a trial, and what a dead one held is free at once.

A claim is a lock the operating system holds for the process: it ends with the process, however that ends, so there is no
lease to wait for and no clock to trust. Workers on several machines need a shared folder that carries such locks, as
NFS 4 does.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLAIMS = "claims"


@contextmanager
def claim(folder: Path, key: str) -> Iterator[bool]:
    """Holds the claim on a trial while the block runs; tells whether it was free."""
    place = folder / CLAIMS / f"{key}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(place, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
