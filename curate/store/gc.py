"""Cleaning the store: artifacts that no plan needs, or that were not used for some days."""

from __future__ import annotations

import time
from collections.abc import Iterator

from curate.store.store import Store, folder_bytes

_DAY = 86_400


def collect(store: Store, *, keep: set[str] | None, days: int | None, dry_run: bool) -> Iterator[tuple[str, int]]:
    """Removes artifacts and yields (folder name, bytes) of each.

    With ``keep`` (folder names) everything else goes; with ``days`` what was not used for that long; with both, what
    is in neither.
    """
    now = time.time()
    for artifact in store.artifacts():
        needed = keep is not None and artifact.folder.name in keep
        recent = days is not None and now - artifact.used_at() < days * _DAY
        if needed or recent:
            continue
        yield artifact.folder.name, folder_bytes(artifact.folder) if dry_run else store.remove(artifact)
