"""decontaminate: what counts as an item in a row, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from curate.errors import RecipeError, StageError
from curate.recipe import build_stage
from curate.stages.decontaminate.decontaminate import Decontaminate, DecontaminateBounds, DecontaminateScore
from tests.curate.row_maker import rows_of
from tests.curate.small import Small, chat, jsonl

LONG = (
    "A farmer has a rectangular field that is 120 metres long and 80 metres wide, and he wants to put a fence around it "
    "with one gate of 4 metres; how many metres of fence does he need to buy in total?"
)
SHORT = "Which river flows through the old town of Bamberg?"
ZH = "根据合同第七条，承租人逾期交租超过多少天，出租人可以解除合同？"
ITEMS: list[dict[str, Any]] = [
    {"question": LONG, "answer": "396"},
    {"question": SHORT, "choices": ["Main", "Regnitz", "Danube", "Isar"]},
    {"question": ZH, "choices": ["三十天", "六十天", "九十天", "十五天"]},
    {"question": "Which is true?", "choices": ["Ice sinks", "Ice floats", "Ice burns", "Ice sings"]},
    {"question": "Which is true?", "choices": ["Tin is a gas", "Tin is a metal", "Tin is a salt", "Tin is an acid"]},
    {"question": "What is 17 + 25?", "answer": "42"},
]


@pytest.fixture
def against(tmp_path: Path) -> str:
    """An evaluation file of a few items."""
    return str(jsonl(tmp_path / "exam.jsonl", *ITEMS))


@pytest.fixture
def found(against: str) -> Callable[..., list[tuple[str | None, float]]]:
    """Gives item and score of rows made of user turns or whole records."""

    def judge(*rows: str | dict[str, Any], **parameters: Any) -> list[tuple[str | None, float]]:
        made = [{"messages": [("u", row), ("a", "Let me see.")]} if isinstance(row, str) else row for row in rows]
        scores = score(against, **parameters).score(rows_of(*made))
        return list(scores.select("contamination_item", "contamination").iter_rows())

    return judge


def score(against: Any, **parameters: Any) -> DecontaminateScore:
    """Returns the measuring part of the stage."""
    part = Decontaminate.model_validate({"against": against, **parameters}).parts()[0]
    assert isinstance(part, DecontaminateScore)
    return part


HELD = {
    "verbatim": (LONG, "exam#1"),
    "in chatter": (f"hey there friend, quick one {LONG} thanks a lot in advance", "exam#1"),
    "half of it": (LONG[: 2 * len(LONG) // 3], "exam#1"),
    "short": (f"Do you know this? {SHORT} I forgot.", "exam#2"),
    "a slip": ("Which rivr flows through the old town of Bamberg?", "exam#2"),
    "Chinese": (f"请问{ZH}谢谢", "exam#3"),
    "generic with its choices": ("Which is true? (a) Tin is a salt (b) Tin is a metal (c) Tin is a gas (d) Tin is an acid", "exam#5"),
    "short sum alone": ("what is 17+25", "exam#6"),
}  # fmt: skip
FREE = {
    "other numbers": "What is 17 + 26?",
    "another operator": "What is 17 - 25?",
    "another town": "Which river flows through the old town of Leipzig?",
    "a negation": "Which river never flows through the old town of Bamberg?",
    "generic alone": "Which is true? I wonder.",
    "topic": "A farmer has a field and wants to buy a fence. What should he look at first, and what does a gate cost?",
    "a few words": "I live in the old town of Bamberg.",
    "Chinese topic": "承租人逾期交租，出租人怎么办？",
    "nothing": "",
}


@pytest.mark.parametrize("name", HELD)
def test_rows_that_hold_an_item(name: str, found: Callable[..., list[tuple[str | None, float]]]) -> None:
    """An item is found in its disguises, and named."""
    text, item = HELD[name]
    ((named, share),) = found(text)
    assert named == item
    assert share >= 0.5


@pytest.mark.parametrize("name", FREE)
def test_rows_that_only_look_alike(name: str, found: Callable[..., list[tuple[str | None, float]]]) -> None:
    """Other numbers, other names, negations, topics and generic questions are not the item."""
    assert found(FREE[name]) == [(None, 0.0)]


def test_the_score_is_the_share_of_the_item(found: Callable[..., list[tuple[str | None, float]]]) -> None:
    """A row that holds two thirds of a question's words scores two thirds."""
    words = LONG.split()
    ((_, share),) = found(" ".join(words[:26]))
    assert share == pytest.approx(26 / len(words), abs=0.02)


def test_every_kind_of_row_and_role_is_searched(found: Callable[..., list[tuple[str | None, float]]]) -> None:
    """System prompts, answers, tool results, both sides of pairs and documents are searched; `roles` limits that."""
    rows: list[dict[str, Any]] = [
        {"messages": [("s", f"Example: {SHORT}"), ("u", "q"), ("a", "r")]},
        {"messages": [("u", "q"), ("a", SHORT)]},
        {"messages": [("u", "q"), ("t", SHORT), ("a", "r")]},
        {"kind": "preference", "prompt": [("u", "q")], "chosen": [("a", "r")], "rejected": [("a", SHORT)]},
        {"kind": "kto", "prompt": [("u", SHORT)], "completion": [("a", "r")], "label": True},
        {"kind": "text", "text": f"A page. {SHORT} More."},
    ]
    assert [item for item, _ in found(*rows)] == ["exam#2"] * 6
    assert [item for item, _ in found(*rows, roles=["user"])] == [None, None, None, None, "exam#2", None]


def test_template_text_is_no_evidence(tmp_path: Path) -> None:
    """What more than `common` items of a set share does not count, their own words do."""
    head = "Please read the following question about our house rules with great care and answer with one letter only:"
    towns = ["Ulm", "Bonn", "Graz", "Linz", "Bern", "Kiel", "Mainz", "Trier", "Essen", "Halle", "Emden", "Celle"]
    asked = [f"{head} by when must the last guest of the {town} hostel have left the breakfast room?" for town in towns]
    against = str(jsonl(tmp_path / "exam.jsonl", *({"question": text} for text in asked)))
    rows = rows_of(
        {"messages": [("u", f"{head} what is the capital of France?"), ("a", "A")]},
        {"messages": [("u", asked[3]), ("a", "B")]},
    )
    assert score(against).score(rows)["contamination"].to_list() == [0.0, 1.0]
    assert score(against, common=20).score(rows)["contamination"][0] >= 0.3


def test_long_texts_are_judged_in_pieces(tmp_path: Path) -> None:
    """A chapter in a row is found although it is a small share of the book."""
    book = " ".join(f"word{n * n % 7919} and{n}" for n in range(3000))
    (tmp_path / "book.txt").write_text(book)
    chapter = " ".join(book.split()[2000:2600])
    rows = rows_of({"kind": "text", "text": chapter}, {"kind": "text", "text": " ".join(book.split()[2000:2015])})
    held = score(str(tmp_path / "book.txt")).score(rows)["contamination"].to_list()
    assert held == [1.0, 0.0]


def test_answers_and_choices_are_looked_for(tmp_path: Path) -> None:
    """A long answer or a long set of options is found without its question, options in any order."""
    solution = " ".join(f"step{n} follows from part{n * 7}" for n in range(12))
    options = [
        f"the {name} opens only after both {name} locks have been turned at once" for name in ("gate", "safe", "hatch")
    ]
    items = [{"question": "How so?", "answer": solution}, {"question": "Why?", "choices": options}]
    against = str(jsonl(tmp_path / "exam.jsonl", *items))
    shuffled = "\n".join(f"{label}) {option}" for label, option in zip("abc", reversed(options), strict=True))
    rows = rows_of({"messages": [("u", "q"), ("a", solution)]}, {"messages": [("u", shuffled), ("a", "r")]})
    found = score(against).score(rows)
    assert found["contamination_part"].to_list() == ["answer", "choices"]
    assert found["contamination"].to_list() == [1.0, 1.0]
    judged = Decontaminate.model_validate({"against": against}).parts()[1]
    assert isinstance(judged, DecontaminateBounds)
    assert judged.judge(rows.hstack(found)).to_list() == ["holds_answer", "holds_choices"]
    assert score(against, match=["question"]).score(rows)["contamination"].to_list() == [0.0, 0.0]


def test_matches_name_the_place_and_both_spans(against: str) -> None:
    """Each match says which turn of which row holds what of which line of which file."""
    rows = rows_of({"messages": [("u", f"One: {SHORT}\nTwo: {ZH}"), ("a", "r")]})
    surveyed = score(against).survey(rows)
    line = surveyed.matches.filter(pl.col("item") == "exam#3").to_dicts()[0]
    assert (
        line.items()
        >= {"id": f"{0:032x}", "turn": 0, "role": "user", "benchmark": "exam", "file": "exam.jsonl"}.items()
    )
    assert (line["line"], line["part"], line["row_span"], line["item_span"]) == (3, "question", ZH[:-1], ZH[:-1])
    assert surveyed.scores["contamination_item"].to_list() == ["exam#2"]
    told = list(score(against).told(surveyed.matches))
    assert told[0] == "messages turn 0 (user) holds the question of exam#2, exam.jsonl:2 (whole, 1.00)"
    assert told[1] == f"    row:  {SHORT[:-1]}"


def _small(tmp_path: Path, against: str, **stage: Any) -> Small:
    rows = [chat(SHORT, "The Regnitz."), chat("How are you?", "Fine."), chat(LONG, "396.")]
    return Small(tmp_path, {"chats": rows}, stages=[{"decontaminate": {"against": against, **stage}}])


def test_a_run_drops_and_tells(tmp_path: Path, against: str) -> None:
    """Contaminated rows go; ledger, matches and figures stand in the output, a line of them in the report."""
    small = _small(tmp_path, against)
    report = small.run()
    assert [row["messages"][0]["content"] for row in small.rows()] == ["How are you?"]
    lines = small.ledger().sort("other_id").select("action", "reason", "other_id", "score").rows()
    assert lines == [("drop", "holds_question", "exam#1", 1.0), ("drop", "holds_question", "exam#2", 1.0)]
    matches = [orjson.loads(line) for line in (small.out / "ledger/decontaminate.jsonl").read_bytes().splitlines()]
    assert {m["item"] for m in matches} == {"exam#1", "exam#2"}
    figures = orjson.loads((small.out / "ledger/decontaminate.json").read_bytes())["sets"]["exam"]
    assert figures["items_found_at_score"]["0.5"] == 2
    assert any(note.startswith("decontaminate: exam: 2 of 6 items found in the rows") for note in report.notes)


def test_tag_keeps_the_rows_and_notes_them(tmp_path: Path, against: str) -> None:
    """With `action: tag` every row stays with its columns, and the ledger has a note."""
    small = _small(tmp_path, against, action="tag")
    small.run()
    assert [row["contamination"] for row in small.rows()] == [1.0, 0.0, 1.0]
    assert small.ledger()["action"].to_list() == ["note", "note"]


def test_moving_the_threshold_scores_nothing_again(tmp_path: Path, against: str) -> None:
    """The threshold is part of the verdict's key alone; what an evaluation file holds is part of the score's."""
    small = _small(tmp_path, against)
    small.run()

    def stale() -> set[str]:
        return {p.step.name for p in small.plan().of("rows") if not p.cached}

    assert stale() == set()
    small.recipe["stages"] = [{"decontaminate": {"against": against, "threshold": 0.9}}]
    assert stale() == {"decontaminate_bounds"}
    jsonl(Path(against), *ITEMS, {"question": "One more?"})
    assert stale() == {"decontaminate_score", "decontaminate_bounds"}


def test_a_pattern_of_files_is_known_by_names_and_content(tmp_path: Path, against: str) -> None:
    """A file that comes to match a pattern, or is renamed, changes the key."""
    small = _small(tmp_path, str(tmp_path / "exam*.jsonl"))
    first = small.plan().of("rows")[0].step.key
    Path(against).rename(tmp_path / "exam-2.jsonl")
    assert small.plan().of("rows")[0].step.key != first


def test_scores_do_not_depend_on_the_company(against: str) -> None:
    """A row scores the same alone and among others, whatever was scanned before it."""
    rows = rows_of(*({"messages": [("u", text), ("a", "r")]} for text, _ in HELD.values()))
    together = score(against).score(rows)
    alone = pl.concat([score(against).score(rows[i]) for i in range(rows.height)])
    assert_frame_equal(together, alone)


def test_a_threshold_below_the_recorded_scores_is_an_error(against: str) -> None:
    """What is not recorded can't be judged, and evidence holds an n-gram."""
    with pytest.raises(RecipeError, match=r"'threshold': input should be greater than or equal to 0.3"):
        build_stage("decontaminate", {"against": against, "threshold": 0.1})
    with pytest.raises(RecipeError, match=r"`min_words` \(5\) is less than `ngram` \(8\): make it as large"):
        build_stage("decontaminate", {"against": against, "min_words": 5})


def test_a_missing_set_stops_the_plan(tmp_path: Path) -> None:
    """Before any work, and the message names the file and the nearest one; so does an empty one."""
    jsonl(tmp_path / "exam.jsonl", *ITEMS)
    with pytest.raises(
        StageError, match=r"stage 'decontaminate': .*exams\.jsonl: no such file.*did you mean .*exam\.jsonl"
    ):
        _small(tmp_path, str(tmp_path / "exams.jsonl")).plan()
    jsonl(tmp_path / "empty.jsonl")
    with pytest.raises(StageError, match=r"'empty' .* holds no question"):
        _small(tmp_path, str(tmp_path / "empty.jsonl")).plan()
