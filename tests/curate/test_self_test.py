"""The self-test: on the sample data it finds what it plants, flags the leaks that are there, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from curate.cli.decontaminate import decontaminate
from curate.disguises import DISGUISES
from curate.errors import SourceError
from curate.self_test import Count, SelfTest, lines, self_test
from curate.stages.decontaminate.decontaminate import Decontaminate

ROOT = Path(__file__).resolve().parents[2]
EXAM = str(ROOT / "data_samples/eval/service_mc.jsonl")
ROWS = (str(ROOT / "data_samples/general/knowledge.json"), str(ROOT / "data_samples/documents/documents.jsonl"))


@pytest.fixture(scope="module")
def result() -> SelfTest:
    """The self-test over some of the sample data."""
    return self_test(Decontaminate.model_validate({"against": EXAM}), ROWS)


def test_every_disguise_is_seen_through(result: SelfTest) -> None:
    """All items are found in every disguise, but for some typing slips."""
    assert result.items == 80
    assert list(result.recall) == list(DISGUISES)
    slips = result.recall.pop("typing slips")
    assert all(count.hit == count.of for counts in result.recall.values() for count in counts.values())
    assert all(count.hit >= 0.9 * count.of for count in slips.values())
    assert sum(count.of for counts in result.recall.values() for count in counts.values()) == 640


def test_clean_rows_are_left_alone(result: SelfTest) -> None:
    """Of the rows as they are only the one planted leak is flagged, and of unlike items of the same exam none."""
    assert result.flagged["the rows as they are"] == Count(1, 597)
    assert result.flagged["other items of the same sets"].hit == 0
    assert result.flagged["other items of the same sets"].of >= 20


def test_the_command_prints_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the project's folder it needs no options; misses and flagged rows are shown."""
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(decontaminate, ["--self-test", "--rows", ROWS[1]], catch_exceptions=False)
    assert done.exit_code == 0
    assert "  verbatim                           en 40 of 40 (100.0%)   zh 40 of 40 (100.0%)" in done.output
    assert "the rows as they are               0 of 167 (0.0%)" in done.output


def test_elsewhere_the_files_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sample data the command asks for files."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(decontaminate, ["--self-test"])
    assert done.exit_code == 2
    assert "the sample data is not in this folder (data_samples/eval/*.jsonl); say --against FILES" in done.output


def test_rows_must_be_rows(tmp_path: Path) -> None:
    """An empty file can host nothing."""
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(SourceError, match=r"none\.jsonl: holds no row; give files of clean rows"):
        self_test(Decontaminate.model_validate({"against": EXAM}), [str(tmp_path / "none.jsonl")])


def test_misses_are_shown() -> None:
    """A miss is printed with its disguise and text."""
    missed = SelfTest(1, {"verbatim": {"en": Count(0, 1)}}, {"rows": Count(0, 0)}, [], ["verbatim: x#1 as 'Why?'"])
    assert list(lines(missed))[-2:] == ["missed, for example:", "  verbatim: x#1 as 'Why?'"]
