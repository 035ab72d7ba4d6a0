"""`train grid` with `tests:`: every run is measured on them, over a folder whose runs were made without them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from curate.errors import CurateError
from tests.curate.small import Small, jsonl
from tests.train.grid.conftest import echo
from tests.train.grid.test_command import grid_file, read_page, run_grid
from train.grid.command import BEST, REPORT, TABLE, Ended
from train.grid.grades import GRADES
from train.grid.matrix import TRIALS, read_trials
from train.grid.planned import plan_grid

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",
    "ignore::optuna.exceptions.ExperimentalWarning",
)

TOLD: dict[str, Any] = {
    "strategy": {"name": "random", "trials": 1},
    "train": {"max_steps": 2},
    "answers": {"rows": 0},
}
ALONE: dict[str, float] = {"exam": 1, "copy": 0, "count": 0, "reverse": 0}


def exam_file(folder: Path) -> str:
    """Writes a test of counting: which number answers the question."""
    items = []
    for made in echo("count", 12, seed=9):
        question, right = (turn["content"] for turn in made["messages"])
        wrong = [" ".join([str(number)] * 3) for number in range(3, 12)]
        options = [right, *[text for text in wrong if text != right][:3]]
        items.append({"question": question, "choices": options, "answer": right})
    return str(jsonl(folder / "exam.jsonl", *items))


def files_of(folder: Path) -> dict[str, bytes]:
    """Returns the finished trials and results of a search, without its grades."""
    places = [*(folder / TRIALS).iterdir(), *(folder / name for name in (BEST, TABLE, REPORT))]
    return {place.name: place.read_bytes() for place in places}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both searches are."""
    return tmp_path_factory.mktemp("downstream")


@pytest.fixture(scope="module")
def plain(small: Small, model_folder: Path, folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """The files of a search without tests, and what it ran."""
    ended, ran = run_grid(grid_file(small, model_folder, folder, **TOLD))
    return files_of(ended.folder), ran


@pytest.fixture(scope="module")
def tested(
    plain: tuple[dict[str, bytes], list[str]], small: Small, model_folder: Path, folder: Path
) -> tuple[Path, Ended, list[str]]:
    """The same search with a test, which alone decides."""
    told = {**TOLD, "tests": {"exam": exam_file(folder)}, "objective": {"weights": ALONE}}
    path = grid_file(small, model_folder, folder, **told)
    return path, *run_grid(path)


def test_runs_that_were_not_measured_are_run_again_and_stay_as_they_were(
    plain: tuple[dict[str, bytes], list[str]], tested: tuple[Path, Ended, list[str]]
) -> None:
    """Every trial is run for its grade; its file keeps its bytes, and none teaches the law twice."""
    before, ran = plain
    _, ended, again = tested
    assert len(again) == len(ran)
    assert all("  exam " in line and line.count("%)") == 1 for line in again)
    kept = {place.name: place.read_bytes() for place in (ended.folder / TRIALS).iterdir()}
    assert kept == {name: content for name, content in before.items() if name in kept}
    assert len(kept) == len(list((ended.folder / GRADES).iterdir())) == len(again)
    assert len(ended.verdict.law.mixtures) == len({line.split("  seed")[0] for line in again}) - 1


def test_tests_are_rows_of_the_matrix_and_targets_of_the_law(tested: tuple[Path, Ended, list[str]]) -> None:
    """With their accuracy; the objective is the relative change of the choice loss."""
    _, ended, _ = tested
    rows = pl.read_parquet(ended.folder / TABLE)
    graded = rows.filter(pl.col("kind") == "test")
    assert graded.height * 3 == rows.filter(pl.col("kind") == "validation").height
    assert graded["ability"].unique().to_list() == ["exam"]
    assert graded["accuracy"].is_between(0, 1).all()
    assert graded["questions"].unique().to_list() == [12]
    assert graded["share"].null_count() == graded.height
    assert rows.filter(pl.col("kind") == "validation")["accuracy"].null_count() == rows.height - graded.height
    assert list(ended.verdict.signal) == ["copy", "count", "reverse", "exam"]
    assert ended.verdict.objective == {"exam"}
    losses = {name: found["loss"].mean() for (name,), found in graded.group_by("name")}
    values = {rival.name: rival.value for rival in ended.verdict.rivals}
    for name in ("equal", "only count", "only copy"):
        assert values[name] == pytest.approx(losses[name] / losses["base"] - 1)


def test_the_report_shows_tests_beside_the_abilities(tested: tuple[Path, Ended, list[str]]) -> None:
    """A column of loss and accuracy (three seeds of one mix are one line), a line of signal, what chance gives; ladders are of abilities only."""
    page = read_page(tested[1].folder / REPORT)
    assert {"exam (right)", "ability or test"} <= set(page.pieces)
    assert page.pieces.count("exam") == 1  # a line of the table of signals
    assert len([text for text in page.pieces if re.fullmatch(r"\d\.\d{4} \(\d+%\)", text)]) == len(tested[2]) - 2
    assert f"By chance they are {np.log(4):.4f} and 25% ± 12%" in page.text
    assert "it looks at exam; lower is better" in page.text
    assert {"loss of copy", "share of copy"} <= set(page.pieces)
    assert not {"loss of exam", "share of exam"} & set(page.pieces)


def test_a_restart_runs_nothing_with_or_without_the_test(
    plain: tuple[dict[str, bytes], list[str]],
    tested: tuple[Path, Ended, list[str]],
    small: Small,
    model_folder: Path,
    folder: Path,
) -> None:
    """The same bytes again; and the search without tests is what it was before there were any."""
    path, ended, _ = tested
    before = files_of(ended.folder)
    _, ran = run_grid(path)
    assert ran == []
    assert files_of(ended.folder) == before
    _, ran = run_grid(grid_file(small, model_folder, folder, **TOLD))
    assert ran == []
    assert files_of(ended.folder) == plain[0]


def plant_grades(folder: Path, shuffled: bool) -> None:
    """Makes every run's choice loss fall with its part of counting, or deals those losses out at random."""
    counted = read_trials(folder).filter(pl.col("ability") == "count").sort("name", "seed")
    counted = pl.concat([counted.filter(pl.col("name") == "base"), counted.filter(pl.col("name") != "base")])
    random = np.random.default_rng(2)
    losses = 1.3 - 0.6 * np.sqrt(counted["share"].to_numpy()[1:]) + random.normal(0, 0.003, counted.height - 1)
    for key, loss in zip(counted["key"], [1.4, *(random.permutation(losses) if shuffled else losses)], strict=True):
        (place,) = (folder / GRADES).glob(f"{key}-*.parquet")
        pl.read_parquet(place).with_columns(loss=pl.lit(loss)).write_parquet(place)


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_test_has_a_signal_where_the_mixture_explains_it(
    shuffled: bool, tested: tuple[Path, Ended, list[str]], small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """What follows from the mixture is found, and recommended by; losses dealt out at random are no signal."""
    shutil.copytree(tested[1].folder, tmp_path / "found")
    shutil.rmtree(tmp_path / "found/searches")
    plant_grades(tmp_path / "found", shuffled)
    told = {**TOLD, "tests": {"exam": exam_file(tmp_path)}, "objective": {"weights": ALONE}}
    ended, ran = run_grid(grid_file(small, model_folder, tmp_path, **told))
    assert ran == []
    assert ended.verdict.signal["exam"] == ended.verdict.has_signal == (not shuffled)
    if not shuffled:
        assert ended.verdict.best.shares[1] == max(ended.verdict.best.shares)


def test_a_plan_tells_the_tests(small: Small, model_folder: Path, tmp_path: Path) -> None:
    """And what is wrong with them, as the search would."""
    tests = {"exam": exam_file(tmp_path)}
    lines = plan_grid(grid_file(small, model_folder, tmp_path, tests=tests))
    assert "test: exam, 12 questions, measured in every run" in lines
    path = grid_file(small, model_folder, tmp_path, tests={"copy": tests["exam"]})
    for search in (plan_grid, run_grid):
        with pytest.raises(CurateError, match="'copy' is an ability of the pool too"):
            search(path)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"tests": {"exam": "nowhere.jsonl"}}, "exam: can't read nowhere.jsonl"),
        ({"tests": {"exam": ""}}, r"grid.yaml:\d+: .*'exam'"),
        ({"objective": {"weights": {"exma": 1}}}, "no ability or test is named 'exma'; did you mean 'exam'"),
    ],
)
def test_mistakes_are_told_before_anything_is_run(
    told: dict[str, Any], message: str, small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """With the nearest name, or the path."""
    content = {"tests": {"exam": exam_file(tmp_path)}, **told}
    path = grid_file(small, model_folder, tmp_path, **content)
    assert yaml.safe_load(path.read_text())["tests"]
    with pytest.raises(CurateError, match=message):
        run_grid(path)
    assert not (tmp_path / "found" / TRIALS).exists()
