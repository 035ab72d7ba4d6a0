"""Releases one after the other: what an earlier one holds is dropped without reading it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curate.errors import RecipeError, StageError, StoreError
from tests.curate.small import TOKENIZER, Small, chat

QUESTIONS = [
    "Could you tell me how to renew my passport before the summer?",
    "What is the fastest way to get from the airport to the old town?",
    "请问昨天在你们商场购买的洗衣机什么时候可以送货上门安装",
    "I would like to cancel the order that I placed on Monday evening.",
]
FIRST = [chat(q, "Of course, one moment please.") for q in QUESTIONS]
NEW = chat("Which museums are open on Mondays and free for students?", "Two of them are.")
AGAIN = chat(QUESTIONS[1] + "!", "Of course, one moment please.")


def release(folder: Path, rows: list[Any], *stages: Any, **recipe: Any) -> Small:
    """Runs a recipe and returns it."""
    small = Small(folder, {"one": rows}, stages=list(stages), **recipe)
    small.run()
    return small


def asked(small: Small) -> list[str]:
    """Returns the first turns of the rows in the output."""
    return [row["messages"][0]["content"] for row in small.rows()]


def test_rows_of_an_earlier_release_are_dropped(tmp_path: Path) -> None:
    """The ledger names the earlier row and the similarity; new rows and their own near-duplicates are judged as ever."""
    first = release(tmp_path / "first", FIRST, {"minhash_dedup": {"index": True}})
    twice = chat("Which museums are open on Mondays and free for students??", "Two of them are.")
    stage = {"minhash_dedup": {"against": [str(first.out)]}}
    second = release(tmp_path / "second", [AGAIN, NEW, FIRST[2], twice], stage)
    assert asked(second) == [NEW["messages"][0]["content"]]
    earlier = {row["messages"][0]["content"]: row["id"] for row in first.rows()}
    lines = second.ledger().sort("reason", "score").select("reason", "other_id", "score").rows()
    assert [line[0] for line in lines] == ["near_duplicate", *["near_duplicate_of_earlier_release"] * 2]
    assert lines[1][1] == earlier[QUESTIONS[1]]
    assert 0.7 <= lines[1][2] < 1
    assert lines[2][1:] == (earlier[QUESTIONS[2]], 1.0)


def test_the_index_holds_what_is_in_the_release(tmp_path: Path) -> None:
    """Rows that a later stage drops are not in the index, so they are not missed in the next release."""
    stages = ({"minhash_dedup": {"index": True}}, {"forbid": {"terms": ["airport"], "action": "drop_row"}})
    first = release(tmp_path / "first", FIRST, *stages)
    second = release(tmp_path / "second", [AGAIN, FIRST[0]], {"minhash_dedup": {"against": [str(first.out)]}})
    assert asked(second) == [AGAIN["messages"][0]["content"]]


def test_releases_add_up(tmp_path: Path) -> None:
    """A third release is compared with the first and the second; each index holds its own release only."""
    first = release(tmp_path / "first", FIRST[:2], {"minhash_dedup": {"index": True}})
    stage = {"minhash_dedup": {"index": True, "against": [str(first.out)]}}
    second = release(tmp_path / "second", FIRST[:3], stage)
    header = orjson.loads((second.out / "dedup/minhash_dedup/index.json").read_bytes())
    assert [part["rows"] for part in header["parts"]] == [1]
    both = {"minhash_dedup": {"against": [str(first.out), str(second.out / "dedup/minhash_dedup")]}}
    assert asked(release(tmp_path / "third", [*FIRST, AGAIN], both)) == [QUESTIONS[3]]


def test_a_packed_release_is_indexed_too(tmp_path: Path) -> None:
    """With a tokenizer the index holds the rows that were packed or held out, by the group of expanded ones."""
    dialogue = chat(QUESTIONS[0], "Yes.", QUESTIONS[1], "Take the train.", QUESTIONS[3], "It is cancelled.")
    stages = (
        {"minhash_dedup": {"index": True}},
        {"truncate_history": {"max_source": 60, "max_target": 40, "expand": "every"}},
    )
    first = release(tmp_path / "first", [dialogue, NEW], *stages, tokenizer=TOKENIZER)
    assert first.ledger().filter(pl.col("action") == "born").height > 1
    second = release(tmp_path / "second", [dialogue, NEW, FIRST[2]], {"minhash_dedup": {"against": [str(first.out)]}})
    assert asked(second) == [QUESTIONS[2]]


def test_the_key_follows_the_index(tmp_path: Path) -> None:
    """Another index at the same path is another key; the same content elsewhere is not."""
    release(tmp_path / "a", FIRST, {"minhash_dedup": {"index": True}})
    release(tmp_path / "b", FIRST, {"minhash_dedup": {"index": True}})
    release(tmp_path / "c", FIRST[:3], {"minhash_dedup": {"index": True}})

    def key(name: str) -> str:
        small = Small(
            tmp_path / "new", {"one": [NEW]}, stages=[{"minhash_dedup": {"against": [str(tmp_path / name / "out")]}}]
        )
        return next(p.step.key for p in small.plan().of("select"))

    assert key("a") == key("b") != key("c")


def test_what_is_no_index_is_told(tmp_path: Path) -> None:
    """A run without an index, one made by other parameters and a damaged part are errors that say what to do."""
    plain = release(tmp_path / "plain", FIRST, "minhash_dedup")
    with pytest.raises(
        RecipeError, match=r"no such file or folder; a run writes an index with `minhash_dedup: {index: true}`"
    ):
        release(tmp_path / "one", [NEW], {"minhash_dedup": {"against": [str(plain.out)]}})
    first = release(tmp_path / "first", FIRST, {"minhash_dedup": {"index": True, "on": "prompt"}})
    with pytest.raises(StageError, match=r"other parameters \(on: prompt there, row here\); set them alike"):
        release(tmp_path / "two", [NEW], {"minhash_dedup": {"against": [str(first.out)]}})
    part = next((first.out / "dedup/minhash_dedup").glob("part-*"))
    part.write_bytes(part.read_bytes()[:-1])
    stage = {"minhash_dedup": {"against": [str(first.out)], "on": "prompt"}}
    with pytest.raises(StoreError, match="missing or damaged; restore that output, or make it anew"):
        release(tmp_path / "three", [NEW], stage)


def test_an_earlier_scaffold_is_stripped_on_both_sides(tmp_path: Path) -> None:
    """A template learned from the earlier release is scaffold for a few new rows as well."""
    said = "Hello, could you please look up for me on the map of the city where I can find "
    filled = [f"the {a} {b}" for a in ("red", "blue", "grey", "green", "brown") for b in map(str, range(100, 1300, 50))]
    first = release(
        tmp_path / "first", [chat(said + word, "Here.") for word in filled], {"minhash_dedup": {"index": True}}
    )
    assert len(first.rows()) > 100
    second = release(
        tmp_path / "second",
        [chat(said + word, "Here.") for word in ("my lost umbrella", "the red 150")],
        {"minhash_dedup": {"against": [str(first.out)]}},
    )
    assert asked(second) == [said + "my lost umbrella"]
