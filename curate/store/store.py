"""The store's folders: ``<name>-<key>/``, complete when ``step.json`` is there, which is written last.

A step that is complete is settled (synced to the disk) a little later; until then it counts in this boot only.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from curate.building import SCRATCH, begin, settle, trusted, under_construction
from curate.files import disk_errors, write_bytes
from curate.places import files_below, is_remote, remove_folder
from curate.store.parts import read_json

_STEP_FOLDER = re.compile(r".+-[0-9a-f]{16}")


@dataclass(frozen=True)
class Artifact:
    """One step's output in the store."""

    folder: Path

    @property
    def complete(self) -> bool:
        """True when the step finished, and what it left is sure to be whole."""
        return (self.folder / "step.json").is_file() and trusted(self.folder)

    @property
    def fresh(self) -> bool:
        """True when the step finished and is not settled yet."""
        return under_construction(self.folder) and self.complete

    @property
    def meta(self) -> dict[str, Any]:
        """What the step wrote down when it finished.

        Raises:
            StoreError: when it is missing or damaged.
        """
        return read_json(self.folder / "step.json")

    def begin(self) -> None:
        """Puts the step under construction: its files are synced when it is settled. What an earlier run left stays, if
        it is sure to be whole.

        Raises:
            StoreError: when the disk is full or the place refuses.
        """
        with disk_errors(self.folder):
            begin(self.folder)

    def finish(self, identity: bytes, meta: dict[str, Any]) -> None:
        """Marks the step complete: from now on its key is a hit, and once it is settled, after the machine went down too.

        Raises:
            StoreError: when the disk is full or the place refuses.
        """
        body = {"identity": orjson.Fragment(identity), **meta}
        write_bytes(self.folder / "step.json", orjson.dumps(body, option=orjson.OPT_INDENT_2))

    def settle(self) -> None:
        """Syncs what the step keeps to the disk, if it is complete.

        Raises:
            StoreError: when the disk is full or the place refuses.
        """
        if self.fresh:
            with disk_errors(self.folder):
                settle(self.folder)

    def clear(self) -> None:
        """Removes what a finished step worked with; a run killed before that leaves it to the next."""
        for name in SCRATCH:
            remove_folder(self.folder / name)

    def part(self, index: int, kind: str = "") -> Path:
        """Returns the path of a part's file; ``kind`` is a folder such as ``ledger``."""
        return self.folder / kind / f"part-{index:05d}.arrow"

    def touch(self) -> None:
        """Notes that the artifact was used now; `gc` goes by it."""
        if is_remote(self.folder):
            write_bytes(self.folder / ".used", b"")
        else:
            os.utime(self.folder / "step.json")

    def used_at(self) -> float:
        """Returns when the artifact was used last, in seconds since the epoch."""
        if is_remote(self.folder):
            return max((time for _, time in files_below(self.folder).values()), default=0.0)
        marker = self.folder / "step.json"
        return (marker if marker.is_file() else self.folder).stat().st_mtime


class Store:
    """A folder of artifacts."""

    def __init__(self, root: Path) -> None:
        """Opens a store; the folder is made when first written to."""
        self.root = root

    def artifact(self, folder: str) -> Artifact:
        """Returns the artifact of a step folder, finished or not."""
        return Artifact(self.root / folder)

    def named(self, name: str) -> list[Artifact]:
        """Returns the finished artifacts of a step name, the latest used first."""
        found = [a for a in self.artifacts() if a.complete and a.folder.name.rpartition("-")[0] == name]
        return sorted(found, key=lambda a: (-a.used_at(), a.folder.name))

    def artifacts(self) -> list[Artifact]:
        """Returns every artifact, by name; a folder that is not named like a step's is not ours."""
        if not self.root.is_dir():
            return []
        folders = [p for p in sorted(self.root.iterdir()) if p.is_dir() and _STEP_FOLDER.fullmatch(p.name)]
        return [Artifact(p) for p in folders]

    def remove(self, artifact: Artifact) -> int:
        """Deletes an artifact, its marker first, and returns the bytes freed."""
        size = folder_bytes(artifact.folder)
        (artifact.folder / "step.json").unlink(missing_ok=True)
        remove_folder(artifact.folder)
        return size


def folder_bytes(folder: Path) -> int:
    """Returns the total size of the files below a folder."""
    return sum(size for size, _ in files_below(folder).values())
