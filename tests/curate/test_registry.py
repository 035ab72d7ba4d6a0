"""The registry: stages by name, and stages of other packages."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.errors import RecipeError
from curate.files import Digests
from curate.plan import stage_identity
from curate.registry import BUILT_IN, stage_class, table
from tests.curate.small import Small, chat

PLUGIN = '''
"""A plugin."""
from typing import ClassVar
import polars as pl
from curate.stage import Filter

class ShortAnswers(Filter):
    name: ClassVar[str] = "{name}"
    reasons: ClassVar[tuple[str, ...]] = ("too_brief",)

    def judge(self, rows: pl.DataFrame) -> pl.Series:
        last = rows["messages"].list.last().struct.field("content")
        return (last.str.len_chars() < {least}).replace_strict({{True: "too_brief", False: None}}, return_dtype=pl.String)
'''


class Site:
    """A folder on sys.path with distributions that offer stages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def offer(self, distribution: str, name: str, target: str, text: str | None = None) -> None:
        """Installs a distribution with one entry point, and its module if there is text for it."""
        info = self.folder / f"{distribution}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[curate.stages]\n{name} = {target}\n")
        if text is not None:
            module = target.partition(":")[0]
            self.modules.append(module)
            (self.folder / f"{module}.py").write_text(text)
        importlib.invalidate_caches()
        table.cache_clear()
        stage_class.cache_clear()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder of plugins; what they registered is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Site(folder)
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)
    table.cache_clear()
    stage_class.cache_clear()


def test_every_built_in_is_a_stage_of_its_name() -> None:
    """The table's names are the names the stages give themselves."""
    for name in BUILT_IN:
        assert stage_class(name).name == name


def test_a_plugin_is_a_stage_like_any_other(site: Site, tmp_path: Path) -> None:
    """An installed entry point can be named in a recipe, and its drops are in the ledger under its reason."""
    site.offer("brevity", "short_answers", "brevity:ShortAnswers", PLUGIN.format(name="short_answers", least=3))
    small = Small(tmp_path, {"a": [chat("q", "long enough"), chat("q", "no")]}, stages=["short_answers"])
    assert small.run().lines[0].changes == {"short_answers": -1}
    assert small.ledger().select("step", "reason").rows() == [("short_answers", "too_brief")]


def test_a_plugin_s_key_follows_its_text(site: Site, tmp_path: Path) -> None:
    """When the module's text changes, so does the key; a built-in stage's does not cover text."""
    digests = Digests(tmp_path / "memo.json")

    def identity(least: int) -> object:
        site.offer("brevity", "short_answers", "brevity:ShortAnswers", PLUGIN.format(name="short_answers", least=least))
        sys.modules.pop("brevity", None)
        return stage_identity(stage_class("short_answers")(), digests)

    assert identity(3) == identity(3)
    assert identity(3) != identity(12)
    assert stage_identity(stage_class("normalize")(), digests)["code"] is None


def test_two_packages_of_one_name_are_told(site: Site) -> None:
    """A clash with a built-in or another plugin names both, and what to do."""
    site.offer("brevity", "length", "brevity:ShortAnswers")
    with pytest.raises(RecipeError) as error:
        table()
    assert str(error.value) == (
        f"two packages offer a stage named 'length': {BUILT_IN['length']} and brevity:ShortAnswers; "
        "uninstall one of them or rename its entry point"
    )
    site.offer("brevity", "mine", "brevity:ShortAnswers")
    site.offer("levity", "mine", "levity:ShortAnswers")
    with pytest.raises(RecipeError, match="named 'mine': brevity:ShortAnswers and levity:ShortAnswers"):
        table()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("not_there:Stage", "stage 'odd': not_there:Stage can't be imported"),
        ("json:Nothing", "stage 'odd': json:Nothing can't be imported"),
        ("json:JSONDecoder", "stage 'odd': json:JSONDecoder is not a Stage"),
        ("json:dumps", "stage 'odd': json:dumps is not a Stage"),
    ],
)
def test_a_plugin_that_is_no_stage_is_told(site: Site, target: str, told: str) -> None:
    """A wrong entry point is a recipe error with its name and target, no traceback."""
    site.offer("odd", "odd", target)
    with pytest.raises(RecipeError, match=told):
        stage_class("odd")


def test_an_unknown_name_gets_the_nearest() -> None:
    """A typo is answered with the stage that was meant."""
    with pytest.raises(RecipeError, match="unknown stage 'normalise'; did you mean 'normalize'"):
        stage_class("normalise")
