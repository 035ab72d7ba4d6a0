"""`train grid` from its file to best-mix.yaml, grid.parquet and grid.html: real training of a tiny model."""

from __future__ import annotations

import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from curate.errors import CurateError
from tests.curate.small import ROOT, Small
from tests.train.grid.conftest import TRAIN, write_run
from train.cli import train
from train.grid.command import BEST, REPORT, TABLE, Ended, search_grid
from train.grid.matrix import TRIALS
from train.grid.planned import plan_grid

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",
    "ignore::optuna.exceptions.ExperimentalWarning",
)


QUICK: dict[str, Any] = {"max_steps": 1}
"""For searches whose losses do not matter."""


def grid_file(made: Small, model: Path, folder: Path, **told: Any) -> Path:
    """Writes a search over a run."""
    content = {
        "recipe": str(made.write()),
        "output": str(folder / "found"),
        "space": {"levels": [1, "1/4"]},
        "strategy": {"name": "full"},
        "budget": 1200,
        "answers": {"rows": 1, "tokens": 8},
    }
    path = folder / "grid.yaml"
    content |= told
    content["train"] = {"model": str(model), **TRAIN, **told.get("train", {})}
    path.write_text(yaml.safe_dump(content))
    return path


def run_grid(path: Path) -> tuple[Ended, list[str]]:
    """Runs a search; returns its end and the trials it said it ran."""
    said: list[str] = []
    ended = search_grid(path, lambda text, passes: None if passes else said.append(text))
    return ended, [line for line in said if re.search(r"  \d+ s$", line)]


@pytest.fixture(scope="module")
def done(small: Small, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended, list[str]]:
    """A finished search."""
    path = grid_file(small, model_folder, tmp_path_factory.mktemp("grid"))
    return path, *run_grid(path)


def test_baselines_and_noise_floor_are_always_run(done: tuple[Path, Ended, list[str]]) -> None:
    """Base, three seeds of the equal mix, then equal shares, sizes, T=2, both ratios, and each ability alone."""
    _, ended, ran = done
    table = pl.read_parquet(ended.folder / TABLE)
    runs = table.unique("key").group_by("name").len()
    counts = dict(runs.iter_rows())
    assert [line.split("  ")[0] for line in ran][:4] == ["base", "equal", "equal", "equal"]
    assert counts["equal"] == 3
    assert {"base", "proportional", "T=2", "1:5", "1:10", "only copy", "only count", "only reverse"} <= counts.keys()
    assert table["ability"].unique().sort().to_list() == ["copy", "count", "reverse"]
    assert ended.trials == len(ran) - 1
    alone = table.filter((pl.col("name") == "only copy") & (pl.col("ability") == "copy"))
    assert alone["share"].to_list() == [1.0]


def test_the_best_mix_is_pasted_into_a_recipe_and_run(
    done: tuple[Path, Ended, list[str]], small: Small, tmp_path: Path
) -> None:
    """`mix:` of best-mix.yaml is taken by `curate run` as it is, and gives the shares it names."""
    best = yaml.safe_load((done[1].folder / BEST).read_text())
    pasted = Small(tmp_path, {})
    pasted.recipe = {**small.recipe, **best, "output": str(tmp_path / "out")}
    pasted.run()
    lock = yaml.safe_load((tmp_path / "out/mix.lock.json").read_text())
    wanted = dict(zip(("copy", "count", "reverse"), done[1].verdict.best.shares, strict=True))
    assert {g["name"]: g["share_got"] for g in lock["groups"]} == pytest.approx(wanted, abs=0.02)


CORNER = r'<text x="(\d+)" y="(\d+)" text-anchor="middle">only (\w+)</text>'
MARK = r'<circle cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>only (\w+): '


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.pieces)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


def read_page(path: Path) -> _Tags:
    """Parses a page."""
    page = _Tags()
    page.feed(path.read_text())
    return page


def test_the_report_needs_no_network_and_tells_everything(done: tuple[Path, Ended, list[str]]) -> None:
    """No link leads out; every mix, the indistinguishable set, the cost and what three more runs buy are there."""
    verdict, page = done[1].verdict, read_page(done[1].folder / REPORT)
    assert not [a for _, attrs in page.tags for a in attrs if a in ("src", "href", "onload", "onclick")]
    assert "script" not in {tag for tag, _ in page.tags}
    assert "http" not in (done[1].folder / REPORT).read_text()
    assert {"only copy", "proportional", "T=2", "1:10", verdict.best.label} <= set(page.pieces)
    assert f"So far: {done[1].trials} runs" in page.text
    assert all(label in page.text for label, _ in verdict.more)
    assert len(verdict.more) == 3
    pictures = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(pictures) == 1 + 1 + 3 + 3  # standings, surface, a ladder an ability, a trade-off a pair


def test_a_corner_of_the_triangle_is_named_after_what_is_run_there(done: tuple[Path, Ended, list[str]]) -> None:
    """The baseline of one ability alone lies at the corner that bears its name."""
    pictures = (done[1].folder / REPORT).read_text().split("<svg")
    (page,) = (picture for picture in pictures if re.search(CORNER, picture))
    names = {name: (float(x), float(y)) for x, y, name in re.findall(CORNER, page)}
    marks = {name: (float(x), float(y)) for x, y, name in re.findall(MARK, page)}
    assert set(names) == {"copy", "count", "reverse"}
    for name, (x, y) in names.items():
        assert min(names, key=lambda other: math.dist(names[other], marks[name])) == name
        assert math.dist((x, y), marks[name]) < 25


def test_a_finished_search_runs_nothing_and_says_the_same(done: tuple[Path, Ended, list[str]]) -> None:
    """Started again, no trial is run, and every file has the bytes it had."""
    path, ended, _ = done
    before = {name: (ended.folder / name).read_bytes() for name in (BEST, TABLE, REPORT)}
    again, ran = run_grid(path)
    assert ran == []
    assert {name: (ended.folder / name).read_bytes() for name in before} == before
    assert again.text == ended.text


def test_an_extended_search_runs_only_what_is_new(
    done: tuple[Path, Ended, list[str]], small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """One more level: its mixtures are run, the others are found again."""
    shutil.copytree(done[1].folder, tmp_path / "found")
    path = grid_file(
        small, model_folder, tmp_path, space={"levels": [1, "1/2", "1/4"]}, strategy={"name": "random", "trials": 4}
    )
    ended, ran = run_grid(path)
    assert 0 < len(ran) <= 4 < ended.trials
    assert all("1/2" in line for line in ran)


def test_an_objective_is_judged_without_new_runs(
    done: tuple[Path, Ended, list[str]], small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """Another objective reads the same matrix: the change of copying's loss, and nothing else."""
    shutil.copytree(done[1].folder, tmp_path / "found")
    weights = {"copy": 1, "count": 0, "reverse": 0}
    ended, ran = run_grid(grid_file(small, model_folder, tmp_path, objective={"weights": weights}))
    assert ran == []
    assert ended.verdict.objective == {"copy"}
    copied = pl.read_parquet(ended.folder / TABLE).filter(pl.col("ability") == "copy")
    losses = dict(copied.select("name", "loss").iter_rows())
    values = {rival.name: rival.value for rival in ended.verdict.rivals}
    assert values["1:10"] == pytest.approx(losses["1:10"] / losses["base"] - 1)


def test_trials_of_fewer_abilities_teach_a_search_of_more(
    done: tuple[Path, Ended, list[str]], small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """An ability is added: what was learned of the others is in the law, and counted as nobody's run."""
    fewer = write_run(tmp_path / "fewer", ("copy", "reverse"))
    told: dict[str, Any] = {"strategy": {"name": "random", "trials": 1}, "train": QUICK, "answers": {"rows": 0}}
    first, _ = run_grid(grid_file(fewer, model_folder, tmp_path, **told))
    second, ran = run_grid(grid_file(small, model_folder, tmp_path, **told))
    own = second.trials
    taught = len(second.verdict.law.mixtures)
    assert len(ran) == own + 1
    old = [row for row in second.verdict.law.losses.tolist() if np.isnan(row[1])]
    assert len(old) > 0
    assert np.isfinite(np.array(old)[:, [0, 2]]).all()
    assert taught > len({line.split("  seed")[0] for line in ran}) - 1
    assert first.trials > 0


def shuffle_losses(folder: Path, seed: int) -> None:
    """Deals the losses of all trials but the base out anew."""
    files = [file for file in sorted((folder / TRIALS).iterdir()) if pl.read_parquet(file)["name"][0] != "base"]
    frames = [pl.read_parquet(file) for file in files]
    order = np.random.default_rng(seed).permutation(len(frames))
    for place, file in enumerate(files):
        frames[place].with_columns(frames[order[place]]["loss"]).write_parquet(file)


def test_shuffled_losses_have_no_signal(
    done: tuple[Path, Ended, list[str]], small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """Real losses follow from the mixture; dealt out at random they do not, and no winner is crowned."""
    _, ended, _ = done
    assert ended.verdict.has_signal
    shutil.copytree(ended.folder, tmp_path / "found")
    shutil.rmtree(tmp_path / "found/searches")
    shuffle_losses(tmp_path / "found", seed=1)
    shuffled, ran = run_grid(grid_file(small, model_folder, tmp_path))
    assert ran == []
    assert not shuffled.verdict.has_signal
    assert shuffled.verdict.tied_count == shuffled.verdict.judged
    assert "no signal" in shuffled.text
    assert "no signal" in (tmp_path / "found" / BEST).read_text()
    assert "No signal." in read_page(tmp_path / "found" / REPORT).text


def test_names_from_data_are_escaped(model_folder: Path, tmp_path: Path) -> None:
    """An ability may be called anything: nothing of it becomes a tag, and best-mix.yaml still names it."""
    made = write_run(tmp_path, ("copy", "reverse"))
    name = 'a <script>alert("&")</script> 数学: #1'
    made.recipe["sources"][0]["ability"] = name
    path = grid_file(made, model_folder, tmp_path, train=QUICK, answers={"rows": 0})
    ended, _ = run_grid(path)
    page = read_page(ended.folder / REPORT)
    assert "script" not in {tag for tag, _ in page.tags}
    assert name in page.text
    assert name in yaml.safe_load((ended.folder / BEST).read_text())["mix"]["weights"]


@pytest.mark.parametrize("name", ["grid_quickstart", "grid_yi"])
def test_recipes_of_searches_are_planned(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run of each says what it would run."""
    monkeypatch.chdir(ROOT)
    lines = "\n".join(plan_grid(Path(f"recipes/{name}.yaml")))
    assert {"grid_quickstart": "adaptive: at most", "grid_yi": "343 mixtures of math, service, writing"}[name] in lines
    assert re.search(r"in all: at most \d+ runs", lines)


def test_a_plan_needs_no_pool_where_abilities_are_named(small: Small, model_folder: Path, tmp_path: Path) -> None:
    """Before the recipe was run, its abilities are to be named; the message says so."""
    fresh = Small(tmp_path, {})
    fresh.recipe = {**small.recipe, "store": str(tmp_path / "store")}
    with pytest.raises(CurateError, match="name them in `space: abilities`, or run `curate run"):
        plan_grid(grid_file(fresh, model_folder, tmp_path))
    named = {"abilities": ["copy", "count", "reverse"], "levels": [1, "1/4"]}
    lines = plan_grid(grid_file(fresh, model_folder, tmp_path, space=named))
    assert "7 mixtures of copy, count, reverse" in lines[0]
    assert "not made yet" in lines[1]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"stratgy": {"name": "full"}}, r"grid.yaml:\d+: unknown parameter 'stratgy'; did you mean 'strategy'"),
        ({"strategy": {"name": "full", "trails": 3}}, r"strategy.*'trails'"),
        ({"budget": None}, "needs a `budget`"),
        (
            {"space": {"abilities": ["copy", "cuont", "reverse"]}},
            "no 'cuont' with validation rows; did you mean 'count'",
        ),
        ({"space": {"abilities": ["copy", "count"]}}, "leaves out reverse"),
        ({"objective": {"weights": {"copi": 1}}}, "no ability is named 'copi'; did you mean 'copy'"),
        ({"space": {"fixed": {"copy": "9/10"}}, "budget": 400_000}, "more of 'copy' than 4 passes give"),
        ({"recipe": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_mistakes_are_told_with_the_place_and_the_nearest_name(
    told: dict[str, Any], message: str, small: Small, model_folder: Path, tmp_path: Path
) -> None:
    """Before anything is trained."""
    with pytest.raises(CurateError, match=message):
        run_grid(grid_file(small, model_folder, tmp_path, **told))
    assert not (tmp_path / "found" / TRIALS).exists()


def test_a_mixture_the_pool_can_not_give_is_no_candidate(small: Small, model_folder: Path, tmp_path: Path) -> None:
    """Where one ability is short, mixtures that would pass over it too often are left out, and so is its solo run."""
    told: dict[str, Any] = {"strategy": {"name": "random", "trials": 1}, "train": QUICK, "answers": {"rows": 0}}
    path = grid_file(small, model_folder, tmp_path, budget=2000, max_epochs=1, **told)
    ended, _ = run_grid(path)
    rows = pl.read_parquet(ended.folder / TABLE)
    assert rows.filter(~pl.col("name").str.starts_with("only"))["epochs"].max() <= 1.01
    names = {rival.name for rival in ended.verdict.rivals}
    assert "only count" not in names
    assert "* had too little data" in read_page(ended.folder / REPORT).text


def test_amounts_of_their_own_data_are_searched(small: Small, model_folder: Path, tmp_path: Path) -> None:
    """Without a budget levels are fractions of each ability's data: totals vary, and best-mix.yaml names amounts."""
    told: dict[str, Any] = {
        "space": {"reading": "amount", "levels": [1, "1/4"]},
        "budget": None,
        "answers": {"rows": 0},
    }
    ended, _ = run_grid(
        grid_file(small, model_folder, tmp_path, strategy={"name": "sweep", "passes": 1}, train=QUICK, **told)
    )
    rows = pl.read_parquet(ended.folder / TABLE)
    swept = rows.filter(pl.col("name") == "copy 1/4 · count 1 · reverse 1")
    assert dict(swept.select("ability", "epochs").iter_rows()) == pytest.approx(
        {"copy": 0.25, "count": 1, "reverse": 1}, abs=0.02
    )
    amounts = yaml.safe_load((ended.folder / BEST).read_text())["mix"]["amounts"]
    assert set(amounts) == {"copy", "count", "reverse"}
    assert "part of the data of copy" in read_page(ended.folder / REPORT).text


def test_the_command_line_plans_and_runs(
    done: tuple[Path, Ended, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--dry-run` tells what there is to do; the command ends in the recommendation."""
    path, ended, _ = done
    train(["grid", str(path), "--dry-run"], standalone_mode=False)
    planned = capsys.readouterr().out
    assert "7 mixtures of copy, count, reverse read as share" in planned
    train(["grid", str(path)], standalone_mode=False)
    assert capsys.readouterr().out.strip() == ended.text
