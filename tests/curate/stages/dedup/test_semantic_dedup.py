"""Semantic duplicates: what is compared, which row stays, copies of any number, thresholds moved over what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from pydantic import ValidationError

from curate.executors.serial import SerialExecutor
from curate.plan import make_plan
from curate.recipe import load_recipe
from curate.rows import empty_rows
from curate.run import run
from curate.stages.dedup.semantic_dedup import SemanticDedup
from tests.curate.selecting import select_lines

ASK, ASKED = "How do I change the password of my account?", "How can I change my account's password?"
OTHER = "What does a return ticket to the lake cost on Sundays?"


def dropped(stage: SemanticDedup, *parts: pl.DataFrame) -> dict[int, tuple[int, float]]:
    """Runs the stage; returns row -> (row kept instead, similarity), rows numbered through the parts."""
    place = {name: at for at, name in enumerate(pl.concat([part["id"] for part in parts]))}
    lines = select_lines(stage, *parts).select("id", "other_id", "score", "reason")
    assert set(lines["reason"]) <= {"semantic_duplicate"}
    return {place[a]: (place[b], score) for a, b, score, _ in lines.iter_rows()}


def documents(make_rows: Any, *texts: str, **more: Any) -> pl.DataFrame:
    """Returns rows of documents."""
    return make_rows(*({"kind": "text", "text": text, **more} for text in texts)) if texts else empty_rows()


def test_a_paraphrase_goes_for_the_row_that_stays(make_rows: Any) -> None:
    """The later of two alike rows goes, across parts; the ledger names the other and the cosine, in four digits."""
    found = dropped(SemanticDedup(threshold=0.9), documents(make_rows, ASK, OTHER), documents(make_rows, ASKED)[:0])
    assert found == {}
    rows = documents(make_rows, ASK, OTHER, ASKED)
    found = dropped(SemanticDedup(threshold=0.9), rows[:2], rows[2:])
    assert found.keys() == {2}
    assert found[2][0] == 0
    assert 0.9 <= found[2][1] < 1
    assert round(found[2][1], 4) == found[2][1]


def test_ten_thousand_copies_leave_one(make_rows: Any) -> None:
    """Whatever their number, of rows with one embedding the first stays, and no pairs are made of them."""
    copies = pl.concat([documents(make_rows, ASK)] * 10_000)
    copies = copies.with_columns(id=pl.int_range(10_000).cast(pl.String).str.zfill(32))
    lines = select_lines(SemanticDedup(threshold=0.9), copies[:6000], copies[6000:])
    assert lines.height == 9_999
    assert lines["other_id"].unique().to_list() == [copies["id"][0]]


def test_a_large_group_of_near_copies_leaves_few(make_rows: Any) -> None:
    """Of two thousand rows nearly alike, each with a word of its own, hardly any stay."""
    names = [
        f"{a}{b}{c}"
        for a in "bdfgklmnprst"
        for b in ("al", "er", "in", "os", "ut")
        for c in "abcdefghijklmnopqrstuvwxyzabcdefgh"
    ]
    text = "Please tell me in a few plain words how I can return the blue shoes that I bought yesterday, says {}."
    rows = documents(make_rows, *(text.format(name) for name in names[:2000]))
    assert len(dropped(SemanticDedup(threshold=0.85), rows)) > 1900


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ("Send 12 boxes to Bern.", "Send 13 boxes to Bern.", "same_numbers"),
        ("Send １２ boxes to Bern.", "Send 21 boxes to Bern.", "same_numbers"),
        ("Can I take this with milk?", "Can I not take this with milk?", "same_negation"),
        ("Can I take this with milk?", "Can't I take this with milk?", "same_negation"),
        ("这个药可以和牛奶一起吃吗？我想问一下。", "这个药不可以和牛奶一起吃吗？我想问一下。", "same_negation"),
    ],
)
def test_numbers_and_negation_keep_rows_apart(make_rows: Any, one: str, other: str, field: str) -> None:
    """Texts alike but for a number or a word of negation both stay, unless that is switched off."""
    rows = documents(make_rows, one, other)
    assert dropped(SemanticDedup(threshold=0.8), rows) == {}
    assert dropped(SemanticDedup(threshold=0.8, **{field: False}), rows).keys() == {1}


def test_spelled_numbers_are_one(make_rows: Any) -> None:
    """Marks of thousands, width, leading zeros and marks of lists do not make another number."""
    rows = documents(
        make_rows, "Pay 1,200 francs by 09:30.", "1. Pay １２００ francs by 9:30.", "Pay 1200.0 francs by 9:30."
    )
    assert dropped(SemanticDedup(threshold=0.9), rows).keys() == {1, 2}


def test_what_is_compared(make_rows: Any) -> None:
    """A chat goes by all its turns, its prompt or its answer, system messages aside; a pair by its prompt, as a whole."""
    answer, other = "Open the settings of the account.", "Ask at the desk beside the lake."
    chats = make_rows(
        {"messages": [("s", "Be brief."), ("u", ASK), ("a", answer)]},
        {"messages": [("s", "You are a pirate on the sea."), ("u", ASKED), ("a", other)]},
        {"messages": [("u", OTHER), ("a", answer)]},
    )
    assert dropped(SemanticDedup(threshold=0.9), chats) == {}
    assert dropped(SemanticDedup(threshold=0.9, on="prompt"), chats).keys() == {1}
    assert dropped(SemanticDedup(threshold=0.9, on="answer"), chats).keys() == {2}
    pairs = make_rows(
        *(
            {"kind": "preference", "prompt": [("u", prompt)], "chosen": [("a", good)], "rejected": [("a", "No idea.")]}
            for prompt, good in ((ASK, answer), (ASKED, other), (OTHER, answer))
        )
    )
    assert dropped(SemanticDedup(threshold=0.9), pairs).keys() == {1}
    assert dropped(SemanticDedup(threshold=0.9, on="answer"), pairs).keys() == {2}


def test_kinds_labels_and_calls_keep_rows_apart(make_rows: Any) -> None:
    """A document is no duplicate of a chat, a good answer none of a bad one, and other tool calls are other rows."""
    judged = [
        {"kind": "kto", "prompt": [("u", ASK)], "completion": [("a", "Yes.")], "label": label}
        for label in (True, False)
    ]
    assert dropped(SemanticDedup(threshold=0.9), make_rows(*judged)) == {}
    both = make_rows({"kind": "text", "text": ASK}, {"messages": [("u", ASK), ("a", "")]})
    assert dropped(SemanticDedup(threshold=0.9), both) == {}

    def call(city: str) -> dict[str, Any]:
        made = [{"type": "function", "function": {"name": "book", "arguments": {"to": city}}}]
        return {
            "messages": [("u", ASK), {"role": "assistant", "content": None, "tool_calls": orjson.dumps(made).decode()}]
        }

    calls = make_rows(call("Bern"), call("Graz"), call("Bern"))
    assert dropped(SemanticDedup(threshold=0.9), calls).keys() == {2}
    assert dropped(SemanticDedup(threshold=0.9, same_calls=False), calls).keys() == {1, 2}


def test_keep_policy_and_protection(make_rows: Any) -> None:
    """The longest stays when asked; protected rows stay before all, and their own duplicates with them."""
    rows = documents(
        make_rows, "Change my password?", "How can I change my password, please?", "How can I change my password?"
    )
    assert dropped(SemanticDedup(threshold=0.8, keep="longest"), rows).keys() == {0, 2}
    mine = rows.with_columns(source=pl.Series(["a", "b", "b"]))
    found = dropped(SemanticDedup(threshold=0.8, protect={"source": ["b"]}), mine)
    assert found.keys() == {0}


def test_nothing_to_compare(make_rows: Any) -> None:
    """Rows of marks alone, empty ones and no rows at all pass."""
    assert dropped(SemanticDedup(threshold=0.9), documents(make_rows, "…", "…", "", "!?")) == {}
    assert select_lines(SemanticDedup(threshold=0.9), empty_rows()).is_empty()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threshold": 0.7}, "`floor` .0.8. is above `threshold` .0.7.; set it lower"),
        ({"threshold": 0.905}, "similarities go by hundredths, such as 0.93"),
        ({"prompt": "query: "}, "the built-in model does not"),
        ({"keep": "source"}, "`sources` is needed with `keep: source`"),
        ({"on": "turns"}, "Input should be 'row', 'prompt' or 'answer'"),
    ],
)
def test_parameters_that_do_not_fit(fields: dict[str, Any], message: str) -> None:
    """Each says what is wrong."""
    with pytest.raises(ValidationError, match=message):
        SemanticDedup(**fields)


def _recipe(folder: Path, threshold: float) -> Path:
    rows = [ASK, ASKED, OTHER, "How much is a return ticket to the lake on a Sunday?", "Which birds sing at night?"]
    data = folder / "rows.jsonl"
    data.write_bytes(b"".join(orjson.dumps({"text": text}) + b"\n" for text in rows))
    path = folder / "recipe.yaml"
    path.write_text(
        f"name: t\nsources: [{{name: rows, path: {data}}}]\n"
        f"stages: [{{semantic_dedup: {{threshold: {threshold}}}}}]\noutput: {folder}/out\nstore: {folder}/store\n"
    )
    return path


def _events(path: Path) -> list[tuple[str, str]]:
    events = run(make_plan(load_recipe(path)), SerialExecutor())
    return [(event.kind, event.name) for event in events if event.kind != "advance"]


def test_another_threshold_embeds_and_compares_nothing_again(tmp_path: Path) -> None:
    """Moving the threshold finds embeddings and pairs in the store; the result is that of a run from nothing."""
    first, again = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    again.mkdir()
    _events(_recipe(first, 0.96))
    few = (first / "out/rows/part-00000.jsonl").read_bytes()
    events = _events(_recipe(first, 0.8))
    assert [e for e in events if e[1].startswith("semantic")] == [
        ("cached", "semantic_embedding"),
        ("cached", "semantic_pairs"),
        ("begin", "semantic_dedup"),
        ("end", "semantic_dedup"),
    ]
    _events(_recipe(again, 0.8))
    many = (first / "out/rows/part-00000.jsonl").read_bytes()
    assert many == (again / "out/rows/part-00000.jsonl").read_bytes()
    assert len(many.splitlines()) < len(few.splitlines())
    assert b"semantic_embedding" not in many


def test_the_sweep_says_what_each_threshold_drops(tmp_path: Path) -> None:
    """Every hundredth from the floor has the rows it drops, which runs at that threshold bear out, and pairs of texts."""
    _events(_recipe(tmp_path, 0.9))
    lines = [
        orjson.loads(line) for line in (tmp_path / "out/ledger/semantic_dedup-sweep.jsonl").read_bytes().splitlines()
    ]
    assert [line["threshold"] for line in lines] == [round(0.8 + at / 100, 2) for at in range(21)]
    pairs = [pair for line in lines for pair in line["pairs"]]
    assert {ASK, ASKED} in [{pair["text"], pair["other_text"]} for pair in pairs]
    for line in lines[::5]:
        _events(_recipe(tmp_path, line["threshold"]))
        stay = len((tmp_path / "out/rows/part-00000.jsonl").read_bytes().splitlines())
        assert 5 - stay == line["rows_dropped"]
        assert line["rows_undecided"] == 0
