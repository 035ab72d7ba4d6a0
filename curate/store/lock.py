"""The store's lock: one run at a time writes to a store; the lock goes with its process, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from curate.errors import StoreError
from curate.places import is_remote


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Holds the store for this process; where a local file system knows no locks it holds nothing.

    Raises:
        StoreError: when another process holds it.
    """
    if is_remote(root):
        from curate.store.remote_lock import remote_lock

        with remote_lock(root):
            yield
        return
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("wb") as handle:
        with suppress(OSError):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(
                    f"{root}: another run is using this store; wait for it, or name another `store:` in the recipe"
                ) from error
        yield
