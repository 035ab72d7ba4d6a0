"""The report, the lock and the card of a run: they add up and say what a reader needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from curate.errors import RecipeError
from curate.executors.serial import SerialExecutor
from curate.plan import make_plan
from curate.recipe import load_recipe
from curate.report import RunReport, narrow_table, run_data, run_report, run_table, step_lines
from curate.run import run
from curate.shards import verify
from tests.curate.small import ROOT, TOKENIZER, Small, chat

RECIPES = [ROOT / "recipes" / name for name in ("abilities.yaml", "demo.yaml")]


def check(report: RunReport) -> None:
    """Each source's line and the sum of them add up."""
    for line in report.lines:
        assert line.read + sum(line.changes.values()) == line.rows
        assert line.rows == line.release.get("pool_rows", line.rows)
        assert line.release.get("packed_unique", 0) + line.release.get("validation_rows", 0) <= line.rows
    assert run_table(report).row_count == narrow_table(report).row_count == len(report.lines) + 1
    told = {line.partition(" ")[0] for line in step_lines(report)}
    assert told - {"quarantine"} == {step for line in report.lines for step in line.changes}


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.name)
def test_each_recipe_of_the_project_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends in verified shards and a table that adds up, no source comes out empty, and its quarantine is small."""
    monkeypatch.chdir(ROOT)
    places = {"output": str(tmp_path / "out"), "store": str(tmp_path / "store")}
    plan = make_plan(load_recipe(path).model_copy(update=places))
    for _ in run(plan, SerialExecutor()):
        pass
    report = run_report(plan)
    check(report)
    assert all(line.release["packed_trained"] > 0 for line in report.lines)
    assert not report.too_much_quarantine
    assert verify(tmp_path / "out").shards["train"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Small, RunReport]:
    """A run with something of everything."""
    records: dict[str, list[Any]] = {
        "a": [*(chat(f"q {i}", f"r {i}") for i in range(30)), chat("q 0", "r 0"), b"{", chat("long", "x" * 900)],
        "b": [chat(f"s {i}", f"t {i}") for i in range(8)],
    }
    small = Small(
        tmp_path_factory.mktemp("report"),
        records,
        tokenizer=TOKENIZER,
        stages=["exact_dedup"],
        split={"validation": 4},
        pack={"length": 128},
    )
    small.recipe["sources"][1]["ability"] = "x|<b>"
    return small, small.run()


def test_the_report_says_what_happened(done: tuple[Small, RunReport]) -> None:
    """Counts of each source, and notes on what a reader should know."""
    _, report = done
    check(report)
    a, b = report.lines
    assert (a.records, a.quarantined, a.read, a.changes, a.rows) == (33, 1, 32, {"exact_dedup": -1}, 31)
    assert (b.records, b.rows, b.release["validation_rows"]) == (8, 8, 1)
    told = "\n".join(report.notes)
    assert "1 row is longer than a sequence and was left out (reason longer_than_sequence)" in told
    assert "validation: small abilities gave at most 20% of their rows: x|<b> 1" in told
    assert "quarantine: 2.44% of the records, in " in told
    assert run_data(report)["sources"][0]["packed_rows"] == a.release["packed_rows"] == 26
    assert not report.too_much_quarantine


def test_the_card_is_a_table_that_survives_any_name(done: tuple[Small, RunReport]) -> None:
    """Bars and angle brackets in names are escaped; rows, stages and shards are told."""
    card = (done[0].out / "README.md").read_text()
    assert "| b | x\\|&lt;b> | no | 8 | 1 | 7 |" in card
    assert "| exact_dedup | 40 | 1 | 0 | 39 |" in card
    assert 'load_from_disk("train")' in card


def test_the_lock_is_the_recipe_by_content(done: tuple[Small, RunReport]) -> None:
    """Every default is filled in, no path is named, and each step's key is there."""
    small, _ = done
    text = (small.out / "recipe.lock.yaml").read_text()
    lock = yaml.safe_load(text)
    assert str(small.folder) not in text
    assert lock["pack"]["length"] == 128
    assert lock["tokenize"]["train_on"] == "all"
    assert [s["files"][0]["name"] for s in lock["sources"]] == ["a.jsonl", "b.jsonl"]
    assert lock["steps"] == {p.step.name: p.step.key for p in small.plan().steps}


def test_quarantine_names_place_and_bytes(done: tuple[Small, RunReport]) -> None:
    """The broken line is there with its number."""
    (line,) = (done[0].out / "quarantine" / "a.jsonl").read_bytes().splitlines()
    bad = orjson.loads(line)
    assert (bad["file"], bad["line"], bad["reason"], bad["raw"]) == ("a.jsonl", 32, "malformed_json", "{")


def test_rows_a_stage_quarantines_are_kept_whole(tmp_path: Path) -> None:
    """They are in rows/ under the stage's name with the reason; a source of that name keeps its own file."""
    stages = [{"forbid": {"terms": ["secret"], "action": "quarantine"}}]
    small = Small(tmp_path, {"forbid": [chat("a secret", "r"), b"{", chat("q", "r")]}, stages=stages)
    report = small.run()
    assert report.lines[0].changes == {"forbid": -1}
    files = sorted((small.out / "quarantine").rglob("*.jsonl"))
    assert [f.relative_to(small.out).as_posix() for f in files] == [
        "quarantine/forbid.jsonl",
        "quarantine/rows/forbid.jsonl",
    ]
    held = [orjson.loads(line) for f in files for line in f.read_bytes().splitlines()]
    assert sorted(h["reason"] for h in held) == ["forbidden", "malformed_json"]
    (row,) = [h for h in held if h["reason"] == "forbidden"]
    assert row["messages"] == chat("a secret", "r")["messages"]
    assert len(row["id"]) == 32


def test_nothing_left_to_train_is_told(tmp_path: Path) -> None:
    """When stages drop all rows, or no row fits into a sequence, the mixture says so."""
    small = Small(tmp_path, {"a": [chat("q", "r")]}, tokenizer=TOKENIZER, stages=[{"require": {"terms": ["none"]}}])
    with pytest.raises(RecipeError, match="mix: there are no rows to mix"):
        small.run()
    small.recipe |= {"stages": [], "pack": {"length": 4}}
    with pytest.raises(RecipeError, match=r"mix: all 1 rows are longer than pack\.length \(4\); raise it"):
        small.run()


@pytest.mark.parametrize("tokenizer", [None, TOKENIZER])
def test_an_empty_source_is_no_trouble(tmp_path: Path, tokenizer: str | None) -> None:
    """A file without a record beside one with records: the empty one counts nothing."""
    small = Small(tmp_path, {"a": [], "b": [chat("q", "r"), chat("q", "r")]}, stages=["normalize", "exact_dedup"])
    small.recipe |= {"tokenizer": tokenizer} if tokenizer else {}
    report = small.run()
    check(report)
    assert [(line.read, line.rows) for line in report.lines] == [(0, 0), (2, 1)]


def test_the_table_has_the_steps_in_the_order_of_the_run(tmp_path: Path) -> None:
    """Whichever source they change first."""
    asked = "Could you tell me when the shop at the main station opens on Sunday, please? "
    near = [chat(asked + word, "At nine.") for word in ("Now", "Then")]
    small = Small(tmp_path, {"near": near, "same": [chat("a", "b")] * 2}, stages=["exact_dedup", "minhash_dedup"])
    report = small.run()
    assert [dict(line.changes) for line in report.lines] == [{"minhash_dedup": -1}, {"exact_dedup": -1}]
    assert report.steps == ("exact_dedup", "minhash_dedup")
