"""Runs on a disk that fills up: a clear error, nothing half-written, and the bytes of an undisturbed run once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.curate.runs import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run on a disk with room."""
    project = Project(tmp_path_factory.mktemp("undisturbed"))
    project.run("--workers", "2")
    return project


class Disk:
    """A tmpfs whose size can be changed while it is mounted."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def hold(self, kilobytes: int, *, again: bool = True) -> bool:
        """Gives the disk this size and says whether that was possible."""
        options = f"{'remount,' if again else ''}size={kilobytes}k"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.place)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 64 KB; only root can have one."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    disk = Disk(place)
    if not disk.hold(64, again=False):
        pytest.skip("this machine does not let root mount a tmpfs")
    yield disk
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("executor", [("--workers", "2"), ("--executor", "serial")])
def test_a_full_disk_stops_a_run_and_room_lets_it_go_on(
    undisturbed: Project, disk: Disk, tmp_path: Path, executor: tuple[str, ...]
) -> None:
    """Store and output on a disk that grows from run to run: each failure is told, and the end is the same bytes."""
    project = Project(tmp_path / "project")
    project.recipe |= {"output": str(disk.place / "out"), "store": str(disk.place / "store")}
    project.write()
    told = set()
    for step in range(17):
        assert disk.hold(int(64 * 1.5**step))
        done = project.curate("run", "recipe.yaml", "--quiet", *executor, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == 1, done.stderr
        assert "the disk is full; free some space and run the same command again: it resumes" in done.stderr
        assert "Traceback" not in done.stderr
        told.add(done.stderr.split(": ")[1])
        assert not (disk.place / "out" / "manifest.json").exists()
        assert [p for p in disk.place.rglob("*.tmp")] == []
    assert done.returncode == 0
    assert len(told) >= 3, "the disk was full in several places"
    (project.folder / "out").symlink_to(disk.place / "out")
    assert project.output() == undisturbed.output()
