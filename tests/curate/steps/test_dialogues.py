"""Dialogues: utterances of a table gathered by dialogue through buckets, wherever they stand."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from curate.steps import dialogues
from tests.curate.small import Small

LINES = [f"c{c},{['客户', '坐席'][t % 2]},{t:02d},{c}说{t}" for c in range(20) for t in range(4)]


def rows(folder: Path, lines: list[str]) -> dict[str, list[str]]:
    """Returns what each dialogue of a table says, by its first words."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "calls.csv").write_text("\n".join(["call,speaker,time,text", *lines]) + "\n")
    small = Small(folder, {})
    source: dict[str, Any] = {
        "name": "calls",
        "path": str(folder / "calls.csv"),
        "group_by": "call",
        "order_by": "time",
    }
    small.recipe["sources"] = [source | {"roles": {"坐席": "assistant", "客户": "user"}}]
    report = small.run()
    assert report.lines[0].records == len(lines)
    found = small.rows()
    return {r["id"]: [m["content"] for m in r["messages"]] for r in found}


def test_utterances_of_a_dialogue_find_each_other(tmp_path: Path) -> None:
    """Interleaved and out of order, every dialogue is whole, in the order of its times."""
    shuffled = LINES.copy()
    random.Random(1).shuffle(shuffled)
    found = rows(tmp_path / "a", shuffled)
    assert sorted(found.values()) == sorted([f"{c}说{t}" for t in range(4)] for c in range(20))


def test_the_number_of_buckets_changes_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bucket or many give rows of the same ids and words."""
    whole = rows(tmp_path / "one", LINES)
    monkeypatch.setattr(dialogues, "BUCKET_BYTES", 200)
    assert dialogues.Spread.of(tmp_path, 2000).buckets == 10
    assert rows(tmp_path / "many", LINES) == whole
