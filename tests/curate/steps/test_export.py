"""Export: where an output may be put, and how its folders are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import StoreError
from curate.steps.export import folder_names
from curate.steps.output import MARKER, building_folder
from tests.curate.small import TOKENIZER, Small, chat


@given(st.lists(st.text("ab/_. -2é", min_size=1, max_size=4), unique=True, max_size=8))
def test_every_ability_has_a_folder_of_its_own(abilities: list[str]) -> None:
    """No two abilities share a folder, none leaves the output, and plain names stay as they are."""
    names = folder_names(abilities)
    assert len(set(names.values())) == len(abilities)
    assert all("/" not in name and not name.startswith(".") for name in names.values())
    assert folder_names(["客服", "math-2"]) == {"客服": "客服", "math-2": "math-2"}


def test_abilities_that_look_alike_keep_their_rows(tmp_path: Path) -> None:
    """`a/b` and `a b` both have their validation rows."""
    records = {name: [chat(f"{name} {i}?", f"{i}!") for i in range(10)] for name in ("one", "two")}
    small = Small(tmp_path, records, tokenizer=TOKENIZER, split={"validation": 2})
    for source, ability in zip(small.recipe["sources"], ("a/b", "a b"), strict=True):
        source["ability"] = ability
    small.run()
    assert sorted(p.name for p in (small.out / "validation").iterdir()) == ["a_b", "a_b-2"]


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """A file, or a folder holding other things, is refused; an empty one and an earlier output are not."""
    output = tmp_path / "out"
    building_folder(output, "k1")
    output.mkdir()
    building_folder(output, "k1")
    (output / "thesis.txt").write_text("")
    with pytest.raises(StoreError, match=r"out: this folder is not empty and holds no manifest\.json"):
        building_folder(output, "k1")
    (output / MARKER).write_text("{}")
    building_folder(output, "k1")
    with pytest.raises(StoreError, match=r"thesis\.txt: this is a file; name a folder as `output:`"):
        building_folder(output / "thesis.txt", "k1")


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_an_output_is_a_folder_of_its_own(place: str) -> None:
    """The working folder itself is not replaced."""
    with pytest.raises(StoreError, match="an output is a folder of its own"):
        building_folder(Path(place), "k1")


def test_an_output_below_a_file_is_told(tmp_path: Path) -> None:
    """What can't be a folder is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/out: can't be written \(Not a directory\)"):
        building_folder(tmp_path / "file" / "out", "k1")


def test_an_unfinished_output_of_another_key_is_cleared(tmp_path: Path) -> None:
    """The folder of this key is kept to go on in; another's is removed."""
    mine = building_folder(tmp_path / "out", "k1")
    (mine / "half").write_text("")
    assert building_folder(tmp_path / "out", "k1") == mine
    assert (mine / "half").exists()
    other = building_folder(tmp_path / "out", "k2")
    assert list(tmp_path.iterdir()) == [other]
