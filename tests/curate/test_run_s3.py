"""Runs whose store and output lie in an object store: the bytes of a local run, after kills too."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from curate.errors import StoreError
from curate.executors.serial import SerialExecutor
from curate.explain import explain
from curate.files import write_bytes
from curate.places import file_system, files_below, place
from curate.run import run
from curate.store import Store
from curate.store.gc import collect
from curate.store.lock import locked
from tests.curate.object_store import BUCKET, SECRET, object_store
from tests.curate.runs import Project
from tests.curate.small import TOKENIZER, Small, chat


@pytest.fixture(scope="module", autouse=True)
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A bucket for this module."""
    with object_store(tmp_path_factory.mktemp("cache")):
        yield


def remote_output(url: str) -> dict[str, str]:
    """Returns the digest of every object of an output, by relative path."""
    folder = place(url)
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files_below(folder)}


def small(folder: Path, **recipe: object) -> Small:
    """Returns a small recipe with a repeat and a dialogue that is dropped."""
    rows = [chat(f"question {i}", f"answer number {i}") for i in range(40)] + [chat("question 1", "answer number 1")]
    return Small(folder, {"chats": rows}, stages=["normalize", "exact_dedup"], **recipe)


def test_rows_and_shards_have_the_bytes_of_a_local_run(tmp_path: Path) -> None:
    """With and without a tokenizer; a second run has nothing to do; the story of a row is told."""
    for name, more in (("rows", {}), ("shards", {"tokenizer": TOKENIZER})):
        local = small(tmp_path / name, **more)
        local.run()
        remote = small(tmp_path / f"{name}-s3", **more)
        remote.recipe |= {"output": f"{BUCKET}/{name}/out", "store": f"{BUCKET}/{name}/store"}
        report = remote.run()
        assert any(f"{BUCKET}/{name}/out" in note for note in report.notes)
        here = {p.relative_to(local.out).as_posix(): p for p in local.out.rglob("*") if p.is_file()}
        assert remote_output(f"{BUCKET}/{name}/out") == {
            n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in here.items()
        }
        assert {event.kind for event in run(remote.plan(), SerialExecutor())} == {"cached"}
        theirs, ours = (explain(p.plan(), "question 1")[0] for p in (remote, local))
        assert [line.replace(BUCKET, "") for line in theirs.lines][:-1] == ours.lines[:-1]
        assert theirs.lines[-1].partition("; in ")[0] == ours.lines[-1].partition("; in ")[0]
        remote.recipe["stages"] = ["normalize"]
        remote.run()
        assert not any("ledger" in name for name in remote_output(f"{BUCKET}/{name}/out") if "dedup" in name)
        assert not files_below(place(f"{BUCKET}/{name}/out/.being-written"))


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    """An output folder that holds something else is refused."""
    write_bytes(place(f"{BUCKET}/mine/thesis.txt"), b"precious")
    project = small(tmp_path, output=f"{BUCKET}/mine")
    with pytest.raises(StoreError, match="not an earlier output"):
        project.run()
    assert place(f"{BUCKET}/mine/thesis.txt").read_bytes() == b"precious"


def test_listing_and_cleaning(tmp_path: Path) -> None:
    """Steps are listed with their size and age, and removed when unused."""
    project = small(tmp_path, store=f"{BUCKET}/cleaned")
    project.run()
    store = Store(place(f"{BUCKET}/cleaned"))
    assert [a.folder.name.rpartition("-")[0] for a in store.artifacts()] == sorted(
        s.step.name for s in project.plan().steps
    )
    assert all(time.time() - a.used_at() < 60 for a in store.artifacts())
    assert list(collect(store, keep=None, days=1, dry_run=False)) == []
    freed = list(collect(store, keep=set(), days=None, dry_run=False))
    assert len(freed) == len(project.plan().steps)
    assert all(size > 0 for _, size in freed)
    assert store.artifacts() == []


def test_one_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A held lock is refused with its owner; a dead process's lock, and a silent one's, is taken over."""
    root = place(f"{BUCKET}/locked")
    fs, inner = file_system(root / ".lock")
    with (
        locked(root),
        pytest.raises(StoreError, match=rf"process {os.getpid()} on .* is using this store"),
        locked(root),
    ):
        pass
    assert not fs.exists(inner)
    fs.pipe_file(inner, orjson.dumps({"host": os.uname().nodename, "pid": 2**22 + 1, "token": "x"}))
    with locked(root):
        pass
    fs.pipe_file(inner, orjson.dumps({"host": "elsewhere", "pid": 1, "token": "x"}))
    with pytest.raises(StoreError, match="process 1 on elsewhere"), locked(root):
        pass
    monkeypatch.setattr("curate.store.remote_lock.STALE_SECONDS", -60.0)
    with locked(root):
        assert SECRET.encode() not in fs.cat_file(inner)


def test_a_lock_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is written again and again while it is held, and left to whoever took it over."""
    monkeypatch.setattr("curate.store.remote_lock.BEAT_SECONDS", 0.05)
    root = place(f"{BUCKET}/beating")
    fs, inner = file_system(root / ".lock")
    with locked(root):
        fs.rm_file(inner)
        time.sleep(0.3)
        assert not fs.exists(inner), "a lock that is gone is not ours any more"
        fs.pipe_file(inner, b'{"token": "theirs"}')
    assert fs.cat_file(inner) == b'{"token": "theirs"}'


@pytest.mark.slow
def test_killed_and_run_again(tmp_path: Path) -> None:
    """Killed with SIGKILL at several moments and run again at once: the bytes of a local run, and no secret anywhere."""
    plain = Project(tmp_path / "plain")
    plain.run("--workers", "2")
    project = Project(tmp_path / "over")
    project.recipe |= {"output": f"{BUCKET}/killed/out", "store": f"{BUCKET}/killed/store"}
    killed = sum(project.kill_after(seconds) for seconds in (2.5, 4, 5.5, 7, 9))
    said = project.curate("run", "recipe.yaml", "--workers", "2")
    assert killed >= 2
    assert remote_output(f"{BUCKET}/killed/out") == plain.output()
    root = place(f"{BUCKET}/killed")
    assert not any(SECRET.encode() in (root / name).read_bytes() for name in files_below(root))
    assert SECRET not in said.stdout + said.stderr
    assert not [name for name in files_below(root) if "building" in name or name.endswith((".lock", ".tmp"))]
    listed = project.curate("store", "ls", "--store", f"{BUCKET}/killed/store").stdout
    assert "export-" in listed
    assert "drop" in project.curate("ledger", f"{BUCKET}/killed/out").stdout
