"""Recipes: what they mean, and that every error says file, line, place and the nearest name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from curate.errors import RecipeError, SourceError
from curate.recipe import build_stage, load_recipe
from curate.recipe.lines import parse
from tests.curate.small import ROOT, TOKENIZER, Small, chat, jsonl
from train.config import load_config
from train.grid.config import load_grid

HEAD = """\
name: r
sources:
  - {name: a, path: a.jsonl}
output: out
"""

LIMITS = {"max_source": 50, "max_target": 50}
ERRORS = {
    "unknown key": (HEAD + "stagess: []\n", ":5: unknown parameter 'stagess'; did you mean 'stages'"),
    "unknown key of a section": (
        HEAD + "split:\n  validate: 3\n",
        ":6: split: unknown parameter 'validate'; did you mean 'validation'",
    ),
    "unknown key of a source": (
        "name: r\nsources:\n  - name: a\n    path: a.jsonl\n    groupby: x\noutput: o\n",
        ":5: sources.0: unknown parameter 'groupby'; did you mean 'group_by'",
    ),
    "missing key": ("name: r\noutput: o\n", ":1: 'sources' is missing"),
    "missing path": ("name: r\nsources:\n  - {name: a}\noutput: o\n", ":3: sources.0: 'path' is missing"),
    "wrong type": (
        HEAD + "seed: many\n",
        ":5: 'seed': input should be a valid integer, unable to parse string as an integer (found 'many')",
    ),
    "out of range": (HEAD + "split: {max_share: 2}\n", ":5: split: 'max_share': input should be less than 1 (found 2)"),
    "no sources": (
        "name: r\nsources: []\noutput: o\n",
        ":2: 'sources': tuple should have at least 1 item after validation, not 0 (found [])",
    ),
    "a bad name": (HEAD.replace("name: r", "name: a/b"), ":1: 'name': string should match pattern"),
    "unknown stage": (
        HEAD + "stages:\n  - normalize\n  - exact_dedupe\n",
        ":7: unknown stage 'exact_dedupe'; did you mean 'exact_dedup'",
    ),
    "unknown stage parameter": (
        HEAD + "stages:\n  - length:\n      max_chars: 5\n      min_char: 2\n",
        ":8: stage 'length': unknown parameter 'min_char'; did you mean 'min_chars'",
    ),
    "unknown nested parameter": (
        HEAD + "stages:\n  - normalize:\n      only:\n        sources: [a]\n",
        ":8: stage 'normalize': unknown parameter 'sources'; did you mean 'source'",
    ),
    "wrong stage parameter": (
        HEAD + "stages:\n  - strip_fillers: {filler_only: burn}\n",
        ":6: stage 'strip_fillers': 'filler_only': input should be 'keep' or 'drop' (found 'burn')",
    ),
    "a missing stage parameter": (
        HEAD + "stages:\n  - truncate_history\n",
        ":6: stage 'truncate_history': 'max_source' is missing",
    ),
    "a stage that is two": (
        HEAD + "stages:\n  - {normalize: {}, length: {}}\n",
        ":6: a stage is a name, or one name with its parameters",
    ),
    "parameters that are no mapping": (
        HEAD + "stages:\n  - length: 5\n",
        ":6: the parameters of stage 'length' are a mapping",
    ),
    "stages that are no list": (HEAD + "stages: normalize\n", ":5: `stages` is a list, one stage an entry"),
    "only an unknown source": (
        HEAD.replace("name: a,", "name: calls,") + "stages:\n  - normalize: {only: {source: [cals]}}\n",
        ":6: stage 'normalize': no source is named 'cals'; did you mean 'calls'",
    ),
    "protect an unknown source": (
        HEAD + "stages:\n  - exact_dedup: {protect: {source: [b]}}\n",
        ":6: stage 'exact_dedup': no source is named 'b'; known: a",
    ),
    "two sources of one name": (
        HEAD.replace("output", "  - {name: a, path: b.jsonl}\noutput"),
        ":4: two sources are named 'a'; names tell rows apart, so choose another",
    ),
    "a source named like a folder": (
        HEAD.replace("name: a,", "name: x/a,"),
        ":3: sources.0: the name 'x/a' becomes the name of files; use letters, digits, dash, underscore, dot and space",
    ),
    "a bad ratio": (
        HEAD + "mix: {domain_to_general: 1-5}\n",
        ":5: mix: '1-5' is no ratio of domain to general data; write it as \"1:5\"",
    ),
    "a key twice": (HEAD + "pack:\n  length: 1\n  length: 2\n", ":7: 'length' stands twice here; remove one"),
    "a tab": (HEAD + "pack:\n\tlength: 1\n", ":6: this is not YAML: found character '\\t' that cannot start any token"),
    "an open bracket": (HEAD + "stages: [a, b\nseed: 1\n", ":6: this is not YAML: "),
    "two documents": (HEAD + "---\nname: s\n", ":5: this is not YAML: but found another document"),
    "a control character": (HEAD + "seed: \x01\n", ":5: this is not YAML: special characters are not allowed"),
    "no mapping": ("- a\n", ":1: a recipe is a mapping with `name`, `sources` and `output`"),
    "nothing": ("", ":1: a recipe is a mapping"),
    "a tagged scalar": (
        HEAD + "seed: !!python/name:os.system\n",
        ":5: the tag !!python/name:os.system: recipes hold plain values only",
    ),
    "a tagged list": (
        HEAD + "stages: !!python/object/apply:os.system [id]\n",
        ":5: the tag !!python/object/apply:os.system: recipes",
    ),
    "a tagged mapping": (HEAD + "split: !mine {validation: 1}\n", ":5: the tag !mine: recipes hold plain values only"),
    "a set": (HEAD + "stages: !!set {a, b}\n", ":5: the tag !!set: recipes hold plain values only"),
    "a false number": (HEAD + "seed: !!int many\n", ":5: invalid literal for int"),
    "a false boolean": (HEAD + "seed: !!bool maybe\n", ":5: 'maybe' is neither true nor false"),
    "a list for a key": (HEAD + "? [a]\n: b\n", ":5: a key is one word or a quoted text"),
    "a mapping in itself": (HEAD + "split: &s\n  validation: *s\n", ":5: nested more than 40 levels deep"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_every_error_says_where_and_what(case: str, tmp_path: Path) -> None:
    """The message begins with file and line and names the place, the fault, and the nearest known name."""
    text, told = ERRORS[case]
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match="^" + re.escape(str(path) + told)):
        load_recipe(path)


def test_a_recipe_that_can_t_be_read(tmp_path: Path) -> None:
    """A missing file and bytes that are no UTF-8 are told."""
    with pytest.raises(RecipeError, match=r"none\.yaml: can't read this recipe: No such file or directory"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(RecipeError, match=r"latin\.yaml: a recipe is UTF-8 text, byte 9 is not"):
        load_recipe(tmp_path / "latin.yaml")


def test_plain_words_stay_words() -> None:
    """`on`, `no`, `off`, dates and unquoted ratios are the strings their writer meant; numbers are numbers."""
    text = "on: no\noff: yes\nratio: 1:5\nday: 2024-01-02\nhex: 0x10\nold: 0o7\nn: 1e-3\nf: 3.0\ni: -7\nt: true\nu: ~\ne:\n"
    assert parse(text, "r").data == {
        "on": "no",
        "off": "yes",
        "ratio": "1:5",
        "day": "2024-01-02",
        "hex": "0x10",
        "old": "0o7",
        "n": 1e-3,
        "f": 3.0,
        "i": -7,
        "t": True,
        "u": None,
        "e": None,
    }


def test_an_unquoted_ratio_is_a_ratio(tmp_path: Path) -> None:
    """`domain_to_general: 1:5` needs no quotes."""
    path = tmp_path / "r.yaml"
    path.write_text(HEAD + "mix:\n  domain_to_general: 1:5\n")
    assert load_recipe(path).mix.general_per_domain == 5


def test_anchors_repeat_what_was_written(tmp_path: Path) -> None:
    """An alias stands for the value of its anchor."""
    path = tmp_path / "r.yaml"
    path.write_text(HEAD + "stages:\n  - strip_fillers: {only: &o {source: [a]}}\n  - normalize: {only: *o}\n")
    first, second = load_recipe(path).stages
    assert first.only == second.only
    assert first.only.source == ("a",)


def test_an_exported_function_builds_stages() -> None:
    """build_stage says the same of a stage alone."""
    assert build_stage("length", {"max_chars": 3}).model_dump()["max_chars"] == 3
    with pytest.raises(RecipeError, match="unknown stage 'nothing_like_it'; known: attach_profile, "):
        build_stage("nothing_like_it", {})


def test_a_missing_path_names_the_nearest(tmp_path: Path) -> None:
    """A misspelt file is told before any work, with the file that was meant; every missing path is in one error."""
    small = Small(tmp_path, {"calls": [chat("a", "b")]})
    small.recipe["sources"][0]["path"] = [str(tmp_path / "cals.jsonl"), str(tmp_path / "zzz")]
    with pytest.raises(SourceError) as error:
        small.plan()
    assert "source 'calls'" in str(error.value)
    assert f"cals.jsonl: no such file or folder; did you mean {tmp_path}/calls.jsonl?" in str(error.value)
    assert f"{tmp_path}/zzz: no such file or folder; {tmp_path} holds no similar name" in str(error.value)
    assert not (tmp_path / "store" / "step.json").exists()


def test_a_missing_lexicon_names_the_stage(tmp_path: Path) -> None:
    """A file that a stage names and that is not there is told before any work."""
    small = Small(tmp_path, {"a": [chat("a", "b")]}, stages=[{"strip_fillers": {"lexicon": "none.txt"}}])
    with pytest.raises(RecipeError, match=r"stage 'strip_fillers': none\.txt: no such file or folder"):
        small.plan()


def test_a_stage_that_counts_tokens_needs_a_tokenizer(tmp_path: Path) -> None:
    """Without a tokenizer in recipe or stage the plan fails; with either it does not."""
    small = Small(tmp_path, {"a": [chat("a", "b")]}, stages=["normalize", {"truncate_history": LIMITS}])
    told = r"stages\.1: stage 'truncate_history' counts tokens; name a `tokenizer:` in the recipe or in the stage"
    with pytest.raises(RecipeError, match=told):
        small.plan()
    small.recipe["stages"] = [{"truncate_history": {"tokenizer": TOKENIZER, **LIMITS}}]
    small.plan()
    small.recipe |= {"stages": [{"truncate_history": LIMITS}], "tokenizer": TOKENIZER}
    (stage,) = [p.stage for p in small.plan().of("rows")]
    assert getattr(stage, "tokenizer", None) == TOKENIZER


def test_pairs_and_shards_don_t_go_together(tmp_path: Path) -> None:
    """A preference source under a tokenizer is refused by name; without one the run ends with rows."""
    small = Small(tmp_path, {"pairs": [{"prompt": "a", "chosen": "b", "rejected": "c"}]}, tokenizer=TOKENIZER)
    with pytest.raises(RecipeError, match="source 'pairs' holds preference rows, which supervised shards can't hold"):
        small.plan()
    del small.recipe["tokenizer"]
    small.run()
    (row,) = small.rows()
    assert (row["kind"], row["chosen"]) == ("preference", [{"role": "assistant", "content": "b"}])


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda p: p.name)
def test_the_recipes_of_the_project_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file in recipes/ is a recipe whose inputs are there, a search over one, or a configuration of the trainer."""
    monkeypatch.chdir(ROOT)
    if path.stem.endswith("_train"):
        assert load_config(path, {}).max_steps
    elif path.stem.startswith("grid_"):
        assert load_recipe(Path(load_grid(path).recipe)).sources
    else:
        assert load_recipe(path).sources


def test_paths_in_a_list(tmp_path: Path) -> None:
    """A source of several files is one source."""
    small = Small(tmp_path, {"a": [chat("a", "b")]})
    jsonl(tmp_path / "b.jsonl", chat("c", "d"))
    small.recipe["sources"][0]["path"] = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    assert small.run().lines[0].rows == 2
