"""Explain: a row's whole story, by id or by text, whatever became of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import CurateError
from curate.explain import Story, explain
from tests.curate.small import TOKENIZER, Small, chat

CALLS = [
    chat("嗯，余额是多少？", "二十五元。"),
    b"{broken",
    chat("怎么退费？", "呃，请填表。"),
    chat("怎么退费？", "请填表。"),
    chat("第一问？", "第一答。", "第二问？", "第二答。", "第三问？", "第三答。"),
    chat("没人回答", ""),
    *(chat(f"编号{i}？", f"是{i}号。") for i in range(40)),
    chat("太长了？", "长" * 600),
]
STAGES = [
    "strip_fillers",
    {"validate_chat": {}},
    "exact_dedup",
    {"truncate_history": {"max_source": 60, "max_target": 2000, "expand": "every"}},
]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A finished run in which each thing happens to some row."""
    small = Small(
        tmp_path_factory.mktemp("explain"),
        {"calls": CALLS},
        tokenizer=TOKENIZER,
        stages=STAGES,
        split={"validation": 5},
        mix={"weights": {"calls": 1}, "max_epochs": 0.9},
        pack={"length": 200},
    )
    small.run()
    return small


def story(done: Small, wanted: str) -> Story:
    """Returns the only story of what was asked for."""
    (found,) = explain(done.plan(), wanted)
    return found


def test_an_edited_row_shows_the_change(done: Small) -> None:
    """The story has the source's line, the row as it was read, and the change as a diff."""
    found = story(done, "余额是多少")
    assert found.origin == f"{done.folder}/calls.jsonl:1"
    assert found.before == ("user: 嗯，余额是多少？", "assistant: 二十五元。")
    assert found.lines[:3] == [
        "strip_fillers: edit, filler",
        "    -user: 嗯，余额是多少？",
        "    +user: 余额是多少？",
    ]


def test_lines_are_right_after_a_bad_record(done: Small) -> None:
    """A broken line before it does not move a row's line."""
    assert [s.origin.rpartition(":")[2] for s in explain(done.plan(), "怎么退费")] == ["3", "4"]


def test_a_dropped_row_says_who_caused_it(done: Small) -> None:
    """A duplicate's story ends with the id of the row kept instead, which has a story of its own."""
    kept, dropped = explain(done.plan(), "怎么退费")
    assert dropped.lines == [f"exact_dedup: drop, exact_duplicate, because of {kept.id} (score 1)"]
    assert kept.lines[-1].startswith(f"{kept.id}: ")


def test_an_unusable_row_ends_where_it_was_dropped(done: Small) -> None:
    """What happened after is not told of a row that is gone."""
    assert story(done, "没人回答").lines[-1].startswith("validate_chat: drop, ")


def test_an_expanded_row_names_its_children(done: Small) -> None:
    """Each child is born, and where each ended is told; a child's id leads back to the same story."""
    found = story(done, "第三问")
    born = [line.split()[2].rstrip(",") for line in found.lines if " born " in line]
    assert len(born) == 3
    ends = [line for line in found.lines if line.startswith(tuple(born))]
    assert len(ends) == 3
    assert all("tokens" in line for line in ends)
    assert story(done, born[1][:12]).lines == found.lines


def test_the_three_ends(done: Small) -> None:
    """A surviving row is held out, in a sequence, left out by the mixture, or longer than a sequence."""
    ends = [s.lines[-1] for s in explain(done.plan(), "编号", limit=40)]
    assert len(ends) == 40
    kinds = ("held out for validation of calls", f"in {done.out}/train, sequence", "left out by the mixture")
    assert [sum(kind in line for line in ends) > 0 for kind in kinds] == [True, True, True]
    assert sum(kind in line for line in ends for kind in kinds) == 40
    assert "in no sequence: longer than pack.length (200)" in story(done, "太长了").lines[-1]
    assert done.ledger().filter(reason="longer_than_sequence").height == 1


def test_an_id_s_beginning_will_do(done: Small) -> None:
    """Six digits or more of an id find the row; digits that are no id are looked for as text."""
    (first,) = explain(done.plan(), "余额是多少")
    assert story(done, first.id[:8]).id == first.id
    assert story(done, first.id).lines == first.lines


def test_nothing_found_is_told(done: Small) -> None:
    """Neither an id nor a text that matches is an error that says so."""
    with pytest.raises(CurateError, match="no row has the id or holds the text '123456'"):
        explain(done.plan(), "123456")


def test_a_recipe_that_was_not_run_is_told(tmp_path: Path) -> None:
    """Explain runs nothing; it says which step is missing."""
    small = Small(tmp_path, {"a": [chat("q", "r")]})
    with pytest.raises(
        CurateError, match="explain replays a finished run, and 'ingest-a' has not run: `curate run` first"
    ):
        explain(small.plan(), "q")


def test_rows_without_tokens_have_a_story_too(tmp_path: Path) -> None:
    """Pairs and documents are told by field; digits in a text are found."""
    pair = {"prompt": "电话 13800138000", "chosen": "好", "rejected": "坏"}
    small = Small(tmp_path, {"pairs": [pair], "docs": [{"text": "one\ntwo"}]}, stages=["redact_pii"])
    small.run()
    (told,) = explain(small.plan(), "13800138000")
    assert told.before == ("prompt/user: 电话 13800138000", "chosen/assistant: 好", "rejected/assistant: 坏")
    assert told.lines[0] == "redact_pii: edit, pii"
    assert told.lines[-1] == "in the output's rows/"
    (told,) = explain(small.plan(), "two")
    assert told.before == ("text: one", "text: two")
    assert told.lines == ["in the output's rows/"]
