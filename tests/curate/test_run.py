"""Runs: what comes out, that it adds up, and that it is the same however it came about."""

import random
import shutil
from pathlib import Path

import polars as pl
import pytest
from datasets import load_from_disk

from curate.building import MARK
from curate.shards import Manifest, verify
from tests.curate.runs import Project


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run with two workers."""
    project = Project(tmp_path_factory.mktemp("done"))
    project.run("--workers", "2")
    return project


def _reported(project: Project) -> dict[str, dict[str, object]]:
    return {s["source"]: s for s in project.run()["sources"]}


def test_the_table_adds_up(done: Project) -> None:
    """For each source, rows read plus gains and losses of every step are the rows that survived."""
    for source in _reported(done).values():
        assert source["read"] + sum(source["changes"].values()) == source["rows"] == source["pool_rows"]
        assert source["rows"] > 0


def test_every_row_is_accounted_for(done: Project) -> None:
    """Each ingested row is in the shards, left out by the mixture as the lock says, or in the ledger."""
    out = done.folder / "out"
    report = _reported(done)
    ledger = pl.read_parquet(out / "ledger" / "*.parquet")
    gone = ledger.filter(pl.col("action").is_in(["drop", "quarantine", "expand"]) & (pl.col("step") != "mix"))
    born = ledger.filter(pl.col("action") == "born").height
    read = sum(s["read"] for s in report.values())
    assert read + born == gone.height + sum(s["rows"] for s in report.values())
    assert ledger.filter(pl.col("action") == "expand").height > 0
    train = load_from_disk(str(out / "train"))
    packed = {name for names in train["doc_ids"] for name in names}
    held = {n for f in (out / "validation").iterdir() for row in load_from_disk(str(f))["doc_ids"] for n in row}
    assert not packed & held
    assert sum(s["packed_unique"] for s in report.values()) == len(packed)
    assert sum(s["validation_rows"] for s in report.values()) == len(held)
    assert not set(gone["id"]) & (packed | held)


def test_bad_records_are_kept_with_their_place(done: Project) -> None:
    """Quarantine names file, line, offset and reason, and keeps the bytes; its count is the report's."""
    out = done.folder / "out" / "quarantine"
    bad = pl.read_ndjson(out / "chats.jsonl", infer_schema_length=None)
    assert set(bad.columns) >= {"file", "line", "offset", "reason", "raw"}
    assert bad.height == _reported(done)["chats"]["quarantined"]
    for file, line, reason in bad.select("file", "line", "reason").iter_rows():
        text = (done.data / "chats" / file).read_bytes().split(b"\n")[line - 1]
        assert text, reason


def test_shards_open_and_verify(done: Project) -> None:
    """The shards are what the manifest says, open as a dataset, and no sequence is longer than asked."""
    out = done.folder / "out"
    manifest = verify(out)
    assert isinstance(manifest, Manifest)
    train = load_from_disk(str(out / "train"))
    assert max(map(len, train["input_ids"])) <= 1024
    assert all(sum(lengths) == len(ids) for lengths, ids in zip(train["seq_lengths"], train["input_ids"], strict=True))
    assert sum(s.rows for s in manifest.shards["train"]) == len(train)


def test_groups_stay_on_one_side(done: Project) -> None:
    """Children of one dialogue are all in training or all in validation."""
    out = done.folder / "out"
    ledger = pl.read_parquet(out / "ledger" / "*.parquet")
    born = ledger.filter(pl.col("action") == "born")
    parent = dict(born.select("id", "other_id").iter_rows())
    train = load_from_disk(str(out / "train"))
    sides: dict[str, set[str]] = {}
    for name in {n for names in train["doc_ids"] for n in names}:
        sides.setdefault(parent.get(name, name), set()).add("train")
    for row in load_from_disk(str(out / "validation" / "service"))["doc_ids"]:
        sides.setdefault(parent.get(row[0], row[0]), set()).add("validation")
    assert born.height > 50
    assert all(len(side) == 1 for side in sides.values())


def test_a_run_leaves_nothing_under_construction(done: Project) -> None:
    """All it made is on the disk, whatever boots follow."""
    assert not list(done.folder.rglob(MARK))


def test_a_second_run_does_nothing(done: Project) -> None:
    """Nothing is run twice, and the command says so."""
    assert done.steps_run() == []
    assert "nothing to do" in done.curate("run", "recipe.yaml").stdout


@pytest.mark.parametrize("options", [("--workers", "1"), ("--workers", "4"), ("--executor", "serial")])
def test_worker_law(done: Project, tmp_path: Path, options: tuple[str, ...]) -> None:
    """One, two or four workers, or none: the same bytes, also with the data in a folder of another name."""
    other = Project(tmp_path / "elsewhere", data="moved")
    other.run(*options)
    assert other.output() == done.output()


def test_a_changed_parameter_runs_what_follows(done: Project, tmp_path: Path) -> None:
    """Changing stage k runs k and what comes after; the plan says which parameter; nothing before runs again."""
    project = _copy(done, tmp_path)
    stages = project.recipe["stages"]
    project.recipe["stages"] = [{"length": {"max_chars": 3000}} if "length" in s else s for s in stages]
    plan = project.plan()
    assert plan["validate_chat"]["cached"]
    assert plan["char_length"]["cached"], "a moved threshold must not score again"
    assert not plan["length_bounds"]["cached"]
    assert "4000 → 3000" in plan["length_bounds"]["why"]
    assert "its input changed: length_bounds" in plan["truncate_history"]["why"]
    ran = project.steps_run()
    assert ran[:2] == ["length_bounds", "truncate_history"]


def test_a_changed_mix_runs_mix_and_pack_only(done: Project, tmp_path: Path) -> None:
    """A new ratio tokenizes nothing."""
    project = _copy(done, tmp_path)
    project.recipe["mix"] = {"domain_to_general": "1:1"}
    assert project.steps_run() == ["mix", "pack", "export"]


def test_changed_content_runs_and_a_renamed_path_does_not(done: Project, tmp_path: Path) -> None:
    """A moved folder is the same input; one changed line is not."""
    project = _copy(done, tmp_path)
    (project.folder / "data").rename(project.folder / "renamed")
    for source in project.recipe["sources"]:
        source["path"] = source["path"].replace("data/", "renamed/")
    assert project.steps_run() == []
    path = project.folder / "renamed" / "math.jsonl"
    path.write_bytes(path.read_bytes().replace(b"####", b"#### ", 1))
    plan = project.plan()
    assert not plan["ingest-math"]["cached"]
    assert plan["ingest-calls"]["cached"]


def test_a_deleted_output_is_made_again(done: Project, tmp_path: Path) -> None:
    """The store brings a lost output back, byte for byte; a foreign folder is not overwritten."""
    project = _copy(done, tmp_path)
    shutil.rmtree(project.folder / "out")
    assert project.steps_run() == ["export"]
    assert project.output() == done.output()
    project.recipe["output"] = "mine"
    (project.folder / "mine").mkdir()
    (project.folder / "mine" / "thesis.txt").write_text("precious")
    failed = project.curate("run", "recipe.yaml", check=False)
    assert failed.returncode == 1
    assert "not an earlier output" in failed.stderr
    assert (project.folder / "mine" / "thesis.txt").read_text() == "precious"


def _kills(done: Project, folder: Path, moments: list[float]) -> int:
    project = Project(folder)
    killed = sum(project.kill_after(seconds) for seconds in moments)
    project.run("--workers", "2")
    assert project.output() == done.output()
    return killed


def test_kill_law(done: Project, tmp_path: Path) -> None:
    """Killed four times at fixed moments and run again: the same bytes."""
    assert _kills(done, tmp_path / "killed", [0.9, 1.4, 1.9, 2.4]) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_kill_law_at_random_moments(done: Project, tmp_path: Path, seed: int) -> None:
    """Killed at twenty random moments (four to a run, five runs) and run again: the same bytes."""
    chance = random.Random(seed)
    assert _kills(done, tmp_path / "killed", [chance.uniform(0.3, 6) for _ in range(4)]) >= 1


def _copy(done: Project, folder: Path) -> Project:
    """Returns a copy of a finished project with its store and output."""
    shutil.copytree(done.folder, folder / "copy")
    project = Project.__new__(Project)
    project.folder, project.data = folder / "copy", folder / "copy" / "data"
    project.recipe = {**done.recipe, "sources": [dict(s) for s in done.recipe["sources"]]}
    return project
