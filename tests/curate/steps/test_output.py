"""Output folders: whose they are, and what a killed run left in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import StoreError
from curate.steps.output import MARKER, building_folder


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


def test_what_a_killed_run_left_half_written_is_not_put_out(tmp_path: Path) -> None:
    """Temporary files of a killed process go when the folder is gone on in; finished ones stay."""
    mine = building_folder(tmp_path / "out", "k1")
    (mine / "train").mkdir()
    (mine / "train" / ".data-00000.arrow.host.77.tmp").write_text("")
    (mine / "train" / "data-00000.arrow").write_text("")
    building_folder(tmp_path / "out", "k1")
    assert [p.name for p in (mine / "train").iterdir()] == ["data-00000.arrow"]
