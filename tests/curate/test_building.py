"""Folders under construction: what is trusted when a run goes on, and what is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate import building
from curate.building import MARK, begin, settle, sync
from curate.errors import StoreError
from curate.files import disk_errors, write_bytes
from curate.store import Artifact

ANOTHER_BOOT = b"another boot"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder under construction, begun in this boot; systems that do not tell their boots apart have none."""
    folder = tmp_path / "step"
    begin(folder)
    if not (folder / MARK).is_file():
        pytest.skip("this system does not tell its boots apart")
    return folder


def below(folder: Path) -> list[str]:
    """Returns the files below a folder."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_what_was_written_in_this_boot_stays(folder: Path) -> None:
    """A run killed and run again goes on with what it finds."""
    write_bytes(folder / "ledger" / "part", b"x")
    begin(folder)
    assert below(folder) == [MARK, "ledger/part"]


def test_what_was_written_in_another_boot_goes(folder: Path) -> None:
    """Nobody knows what of it reached the disk before the machine went down."""
    write_bytes(folder / "part", b"x")
    (folder / MARK).write_bytes(ANOTHER_BOOT)
    begin(folder)
    assert below(folder) == [MARK]


def test_a_folder_half_discarded_is_not_trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run killed while it deletes what another boot left leaves the rest to the next, which deletes it too."""
    write_bytes(folder / "part", b"x")
    (folder / MARK).write_bytes(ANOTHER_BOOT)

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            begin(folder)
    assert (folder / "part").is_file()
    begin(folder)
    assert below(folder) == [MARK]


def test_a_folder_without_a_mark_keeps_what_it_holds(tmp_path: Path) -> None:
    """Its files were synced one by one."""
    write_bytes(tmp_path / "part", b"x")
    begin(tmp_path)
    assert "part" in below(tmp_path)


def test_a_settled_folder_bears_no_mark(folder: Path) -> None:
    """What it keeps is on the disk, whatever boots follow."""
    write_bytes(folder / "part", b"x")
    write_bytes(folder / "work" / "part", b"y")
    settle(folder)
    assert below(folder) == ["part", "work/part"]
    settle(folder)
    begin(folder)
    assert (folder / "part").read_bytes() == b"x"


def test_a_finished_step_is_trusted_in_its_boot_and_settled_in_any(tmp_path: Path) -> None:
    """It is a hit at once; after another boot only if it was settled, and its own scratch is cleared."""
    artifact = Artifact(tmp_path / "rows-0123456789abcdef")
    artifact.begin()
    write_bytes(artifact.part(0), b"x")
    write_bytes(artifact.part(0, "work/keys"), b"y")
    artifact.finish(b"{}", {"parts": 1})
    artifact.clear()
    mark = artifact.folder / MARK
    assert artifact.complete
    ours = mark.read_bytes()
    mark.write_bytes(ANOTHER_BOOT)
    assert not artifact.complete
    artifact.settle()
    assert mark.is_file(), "what another boot left is never taken for whole"
    mark.write_bytes(ours)
    artifact.settle()
    assert artifact.complete
    assert below(artifact.folder) == ["part-00000.arrow", "step.json"]


def test_a_step_under_way_is_not_settled(tmp_path: Path) -> None:
    """It goes on in this boot only."""
    artifact = Artifact(tmp_path / "rows-0123456789abcdef")
    artifact.begin()
    write_bytes(artifact.part(0), b"x")
    artifact.settle()
    assert below(artifact.folder) == [MARK, "part-00000.arrow"]


def synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tells whether a file written to a path is synced at once."""
    calls: list[int] = []
    with monkeypatch.context() as patch, path.open("wb") as handle:
        patch.setattr(os, "fsync", calls.append)
        sync(handle.fileno(), path)
    return bool(calls)


def test_only_files_under_construction_here_are_synced_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beside such a folder, or in one begun on another machine, is synced when it is written."""
    (folder / "counts").mkdir()
    assert not synced(folder / "counts" / "part", monkeypatch)
    assert synced(folder.parent / "file", monkeypatch)
    (folder / MARK).write_bytes(ANOTHER_BOOT)
    assert synced(folder / "counts" / "part", monkeypatch)


def test_a_folder_that_can_not_be_synced_is_begun_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that turns out to be full leaves nothing that a next run would take for whole."""
    write_bytes(folder / "part", b"x")

    honest = os.fsync

    def full(file: int) -> None:
        if os.readlink(f"/proc/self/fd/{file}").endswith("part"):
            raise OSError(28, "No space left on device")
        honest(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="the disk is full; free some space"), disk_errors(folder):
        settle(folder)
    assert not folder.exists()


def test_systems_without_boots_sync_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no boot is told from another, nothing is put off."""
    monkeypatch.setattr(building, "_boot", lambda: b"")
    begin(tmp_path)
    assert below(tmp_path) == []
    assert synced(tmp_path / "part", monkeypatch)


def test_another_process_of_this_boot_goes_on(folder: Path) -> None:
    """The mark is the machine's and not the process's."""
    write_bytes(folder / "part", b"x")
    code = "import sys; from pathlib import Path; from curate.building import begin; begin(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    assert below(folder) == [MARK, "part"]
