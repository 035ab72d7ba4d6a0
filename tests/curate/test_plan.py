"""Plans: what a key covers and what it does not, and which steps there are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate.files import Digests
from curate.plan import content_digester
from tests.curate.small import TOKENIZER, Small, chat, jsonl

RECORDS = {"a": [chat("q", "r")], "b": [chat("s", "t")]}


def keys(small: Small) -> dict[str, str]:
    """Returns the key of each step of the plan."""
    return {p.step.name: p.step.key for p in small.plan().steps}


def changed(before: dict[str, str], small: Small) -> set[str]:
    """Returns the steps whose key is another one now."""
    after = keys(small)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    """Two sources, stages and a tokenizer, in the folder the command runs in."""
    monkeypatch.chdir(tmp_path)
    return Small(
        tmp_path, RECORDS, tokenizer=TOKENIZER, stages=["normalize", {"length": {"max_chars": 9}}, "exact_dedup"]
    )


ENDING = {"tokenize", "split", "mix", "pack", "export"}
EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], set[str]]] = {
    "store": (lambda r: r.update(store="elsewhere"), set()),
    "output": (lambda r: r.update(output="elsewhere"), set()),
    "name": (lambda r: r.update(name="other"), {"export"}),
    "max_quarantine": (lambda r: r.update(max_quarantine=0.5), {"export"}),
    "pack": (lambda r: r.update(pack={"length": 64}), {"mix", "pack", "export"}),
    "window": (lambda r: r.update(pack={"length": 2048, "window": 99}), {"pack", "export"}),
    "mix": (lambda r: r.update(mix={"by": "source"}), {"mix", "pack", "export"}),
    "seed": (lambda r: r.update(seed=18), {"split", "mix", "pack", "export"}),
    "split": (lambda r: r.update(split={"validation": 1}), {"split", "mix", "pack", "export"}),
    "tokenize": (lambda r: r.update(tokenize={"train_on": "last"}), ENDING),
    "threshold": (
        lambda r: r["stages"].__setitem__(1, {"length": {"max_chars": 8}}),
        {"length_bounds", "exact_dedup", *ENDING},
    ),
    "ability": (
        lambda r: r["sources"][0].update(ability="x"),
        {"ingest-a", "normalize", "char_length", "length_bounds", "exact_dedup", *ENDING},
    ),
    "a default said": (lambda r: r["stages"].__setitem__(0, {"normalize": {"fullwidth": "keep"}}), set()),
    "encoding said": (lambda r: r["sources"][0].update(path=[r["sources"][0]["path"]]), set()),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_change_moves_the_keys_that_it_concerns(small: Small, edit: str) -> None:
    """Each part of a recipe is in the key of its step and of those after it, and of no other."""
    before = keys(small)
    change, expected = EDITS[edit]
    change(small.recipe)
    assert changed(before, small) == expected


def test_keys_do_not_depend_on_places(tmp_path: Path) -> None:
    """The same recipe and content in another folder, under another file name, with a moved tokenizer: the same keys."""
    shutil.copytree(TOKENIZER, tmp_path / "tok")
    one = Small(tmp_path / "one", RECORDS, tokenizer=TOKENIZER)
    two = Small(tmp_path / "two", RECORDS, tokenizer=str(tmp_path / "tok"))
    moved = jsonl(tmp_path / "two" / "deep" / "renamed.jsonl", *RECORDS["a"])
    two.recipe["sources"][0]["path"] = str(moved)
    assert keys(one) == keys(two)


def test_a_tokenizer_counts_by_the_files_that_make_tokens(tmp_path: Path) -> None:
    """Weights beside it change nothing; another chat template does."""
    folder = tmp_path / "tok"
    shutil.copytree(TOKENIZER, folder)
    before = content_digester(Digests(tmp_path / "m1"))(str(folder))
    (folder / "model.safetensors").write_bytes(b"weights")
    assert content_digester(Digests(tmp_path / "m2"))(str(folder)) == before
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    assert content_digester(Digests(tmp_path / "m3"))(str(folder)) != before


def test_changed_content_moves_its_source_only(small: Small) -> None:
    """One more line is another input for what follows it; the other source stays cached."""
    before = keys(small)
    jsonl(small.folder / "a.jsonl", *RECORDS["a"], chat("u", "v"))
    moved = changed(before, small)
    assert "ingest-a" in moved
    assert "ingest-b" not in moved


def test_a_stage_twice_is_two_steps(tmp_path: Path) -> None:
    """The second has a name of its own; a composite's parts share its title."""
    stages = ["normalize", {"length": {"max_chars": 9}}, "normalize"]
    small = Small(tmp_path, RECORDS, stages=stages)
    names = [(p.kind, p.step.name, p.title) for p in small.plan().steps]
    assert names == [
        ("ingest", "ingest-a", "ingest-a"),
        ("ingest", "ingest-b", "ingest-b"),
        ("rows", "normalize", "normalize"),
        ("rows", "char_length", "length"),
        ("rows", "length_bounds", "length"),
        ("rows", "normalize-2", "normalize-2"),
        ("export", "export", "export"),
    ]


def test_why_names_the_source_that_went(tmp_path: Path) -> None:
    """After a source is taken out, the first stage's input changed."""
    small = Small(tmp_path, RECORDS, stages=["normalize"])
    small.run()
    del small.recipe["sources"][1]
    plan = small.plan()
    (stage,) = plan.of("rows")
    assert plan.why(stage) == "its input changed: ingest-b"
