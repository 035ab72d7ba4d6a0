"""`curate mix` on sample data: a changed ratio runs mix and pack alone and swaps no row; peers' configs in and out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from tests.curate.runs import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run at 1:2 whose lock is kept as before.json, then a run at 1:3 that had only to mix, pack and export."""
    made = Project(tmp_path_factory.mktemp("mix"))
    made.run()
    shutil.copy(made.folder / "out" / "mix.lock.json", made.folder / "before.json")
    made.recipe["mix"] = {"domain_to_general": "1:3"}
    assert [name for name, step in made.plan().items() if not step["cached"]] == ["mix", "pack", "export"]
    assert made.steps_run() == ["mix", "pack", "export"]
    return made


def _json(project: Project, *args: str) -> Any:
    return orjson.loads(project.curate("mix", *args).stdout)


def test_a_larger_ratio_adds_rows_and_swaps_none(project: Project) -> None:
    """Every general ability grows, the domain stays as it was, and nothing is taken out."""
    changes = {c["ability"]: c for c in _json(project, "diff", "before.json", "recipe.yaml", "--json")}
    assert all(c["swapped"] == 0 == c["removed"] for c in changes.values())
    assert {name: c["added"] > 0 for name, c in changes.items()} == {"math": True, "service": False, "writing": True}
    told = project.curate("mix", "diff", "before.json", "out").stdout.splitlines()[-1]
    assert "0 removed, none swapped" in told
    assert project.curate("mix", "diff", "out", "recipe.yaml").stdout.splitlines()[-1] == "one and the same stream"


def test_other_shares_by_another_seed_swap_rows(project: Project) -> None:
    """A swap is seen: the same amounts under another seed are other rows."""
    path = project.folder / "other.yaml"
    path.write_text(yaml.safe_dump({**project.recipe, "seed": 18}))
    changes = _json(project, "diff", "recipe.yaml", "other.yaml", "--json")
    assert any(c["swapped"] for c in changes)


def test_a_step_of_the_store_is_a_mixture(project: Project) -> None:
    """Earlier mixtures are found in the store by their step's name."""
    steps = sorted(p.name for p in (project.folder / "store").glob("mix-*"))
    assert len(steps) == 2
    streams = {_json(project, "show", step, "--json")["stream"]["sha256"] for step in steps}
    assert orjson.loads((project.folder / "before.json").read_bytes())["stream"]["sha256"] in streams
    missing = project.curate("mix", "show", "mix-0123456789abcdef", check=False)
    assert "no such finished step" in missing.stderr


def test_show_and_explain_say_what_a_mixture_takes(project: Project) -> None:
    """The table has a line for each group; epochs of training multiply passes; explain names rule and order."""
    shown = project.curate("mix", "show", "recipe.yaml").stdout
    assert [line.split()[0] for line in shown.splitlines()[1:5]] == ["math", "service", "writing", "all"]
    ratio = next(line for line in shown.splitlines() if line.startswith("domain to general: 1:"))
    assert float(ratio.rpartition(":")[2]) == pytest.approx(3, rel=0.01)
    head, math = (line.split() for line in shown.splitlines()[:2])
    twice = project.curate("mix", "show", "recipe.yaml", "--epochs", "2").stdout.splitlines()[1].split()
    place = head.index("passes") - 2  # "has (trained tokens)" is three words
    assert float(twice[place]) == pytest.approx(2 * float(math[place]), rel=0.01)
    told = project.curate("mix", "explain", "recipe.yaml").stdout
    assert "every domain row comes exactly once" in told
    assert "order: every prefix of the stream has the shares of the whole" in told


def test_a_mix_file_is_resolved_over_the_last_recipe(project: Project) -> None:
    """A file that holds only a mix needs no recipe beside it once one was run."""
    (project.folder / "mix.yaml").write_text("unit: rows\nequal: true\nbudget: 30\n")
    lock = _json(project, "show", "mix.yaml", "--json")
    assert [group["rows"] for group in lock["groups"]] == [10, 10, 10]
    assert lock["spec"]["equal"] is True


def test_a_lock_is_written_and_checked(project: Project) -> None:
    """The lock of the recipe is that of its run; another stream is an error."""
    project.curate("mix", "lock", "recipe.yaml", "-o", "again.json")
    assert (project.folder / "again.json").read_bytes() == (project.folder / "out/mix.lock.json").read_bytes()
    project.curate("mix", "lock", "recipe.yaml", "--check", "again.json")
    done = project.curate("mix", "lock", "recipe.yaml", "--check", "before.json", check=False)
    assert done.returncode == 1
    assert "before.json: another stream than that of recipe.yaml" in done.stderr


def test_a_lock_of_another_pool_is_refused(project: Project) -> None:
    """A lock is proof of a stream, so it is not shown over rows that can't give it."""
    lock = orjson.loads((project.folder / "before.json").read_bytes())
    (project.folder / "foreign.json").write_bytes(orjson.dumps({**lock, "pool": "x", "stream": {"sha256": "0" * 64}}))
    done = project.curate("mix", "show", "foreign.json", check=False)
    assert "can't be made from this pool (the lock was made on pool x" in done.stderr
    (project.folder / "no.json").write_text("{}")
    assert "this is no lock of a mixture" in project.curate("mix", "show", "no.json", check=False).stderr


def test_importing_shows_what_was_asked_beside_what_comes(project: Project) -> None:
    """A script's options are read, and the mix written for it takes the same rows of each source."""
    script = "swift sft --model x \\\n  --dataset 'ms::me/math#50' writing#9999 --lr 1e-4\n"
    (project.folder / "swift.sh").write_text(script)
    told = project.curate("mix", "import", "swift.sh", "-o", "same.yaml").stdout
    assert told.splitlines()[0] == "ms-swift:"
    spec = yaml.safe_load((project.folder / "same.yaml").read_text())["mix"]
    assert spec["rows"] == {"math": 50, "writing": 9999, "*": 0}
    groups = _json(project, "show", "same.yaml", "--json")["groups"]
    assert {g["name"]: g["rows"] for g in groups} == {"calls": 0, "chats": 0, "math": 50, "writing": 9999}


def test_a_dataset_that_is_no_source(project: Project) -> None:
    """The message says how to name it."""
    (project.folder / "lf.yaml").write_text("dataset: maths,writing\nmix_strategy: concat\n")
    done = project.curate("mix", "import", "lf.yaml", check=False)
    assert "the dataset 'maths' is none of the sources" in done.stderr
    assert "--map maths=SOURCE" in done.stderr
    assert "\nmaths" in project.curate("mix", "import", "lf.yaml", "--map", "maths=math").stdout


@pytest.mark.parametrize("peer", ["trl", "axolotl", "llama-factory", "ms-swift", "open-instruct"])
def test_exporting_says_what_is_lost(project: Project, peer: str, tmp_path: Path) -> None:
    """What is written is read back by the same trainer's rules, and every loss is a line."""
    out = tmp_path / "config.yaml"
    told = project.curate("mix", "export", "recipe.yaml", "--to", peer, "-o", str(out)).stdout
    assert "lost: the order: mixed becomes a shuffle" in told
    again = project.curate("mix", "import", str(out)).stdout
    assert again.splitlines()[0] == f"{peer}:"
    table = told.split("lost:")[0].splitlines()
    assert again.splitlines()[1 : len(table) + 1] == table
