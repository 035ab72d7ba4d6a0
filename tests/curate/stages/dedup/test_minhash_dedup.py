"""Near-duplicates: verified against brute force, template-shaped rows kept, what is compared, which row stays."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.arrow_rows import ArrowRows
from curate.errors import StageError
from curate.rows import empty_rows
from curate.stages.dedup.minhash_dedup import MinhashDedup
from tests.curate.selecting import select_lines

ZH = "我们昨天在商场买了一台新的洗衣机送货师傅说明天上午可以安装请问需要准备什么东西吗价格优惠多少保修几年"


def shingles(*turns: str) -> set[str]:
    """Returns the shingles of turns of plain lower-case text, as the documentation says them."""
    found: set[str] = set()
    for turn in turns:
        text = " ".join(turn.split())
        sizes = [3 if "\u3040" <= c < "\ua000" else 5 for c in text]
        whole = [(at, at + n) for at, n in enumerate(sizes) if at + n <= len(text)]
        found |= {text[a:b] for a, b in whole}
        if text and (not whole or max(b for _, b in whole) < len(text)):
            found.add(text[next(at for at, n in enumerate(sizes) if at + n > len(text)) :])
    return found


def jaccard(one: set[str], other: set[str]) -> float:
    """Returns the share of two sets that they have in common."""
    return len(one & other) / len(one | other)


def dropped(stage: MinhashDedup, *parts: pl.DataFrame) -> dict[int, tuple[int, float]]:
    """Runs the stage; returns row -> (row kept instead, similarity), rows numbered through the parts."""
    place = {name: at for at, name in enumerate(pl.concat([part["id"] for part in parts]))}
    lines = select_lines(stage, *parts).select("id", "other_id", "score", "reason")
    assert set(lines["reason"]) <= {"near_duplicate"}
    return {place[a]: (place[b], score) for a, b, score, _ in lines.iter_rows()}


def documents(make_rows: Any, texts: list[str], **more: Any) -> pl.DataFrame:
    """Returns rows of documents."""
    return make_rows(*({"kind": "text", "text": text, **more} for text in texts)) if texts else empty_rows()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text("ab c好你　\n", max_size=14), min_size=2, max_size=5))
def test_similarity_is_the_jaccard_of_the_documented_shingles(make_rows: Any, texts: list[str]) -> None:
    """Over any texts the compiled sets are as similar as sets of strings cut by the rule."""
    rows = documents(make_rows, texts)
    stage = MinhashDedup(threshold=0.3)
    sketch = stage.sketch(ArrowRows.of(rows), None).rows
    assert sketch["row"].to_list() == [at for at, text in enumerate(texts) if shingles(text)]
    features = stage.features(ArrowRows.of(rows[sketch["row"]]), sketch, None)
    sets = [shingles(texts[at]) for at in sketch["row"]]
    assert features.list.len().to_list() == [len(found) for found in sets]
    pairs = list(combinations(range(len(sets)), 2))
    a, b = pl.Series([p[0] for p in pairs], dtype=pl.Int64), pl.Series([p[1] for p in pairs], dtype=pl.Int64)
    similar = stage.similarity(features, a.to_numpy(), b.to_numpy())
    for (i, j), score in zip(pairs, similar, strict=True):
        true = jaccard(sets[i], sets[j])
        assert score == (true if true >= 0.3 else 0)


def test_case_width_and_spacing_do_not_count(make_rows: Any) -> None:
    """Folded texts are one; the similarity is 1."""
    rows = documents(make_rows, ["Hello  World again", "hello world\nAGAIN", "ｈｅｌｌｏ ｗｏｒｌｄ　again "])
    assert dropped(MinhashDedup(), rows) == {1: (0, 1.0), 2: (0, 1.0)}


def edited(rng: random.Random, text: str, share: float) -> str:
    """Returns a text with a share of its characters replaced."""
    letters = list(text)
    for at in rng.sample(range(len(letters)), max(1, round(share * len(letters)))):
        letters[at] = rng.choice("甲乙丙丁" if letters[at] > "\u3000" else "xyzw")
    return "".join(letters)


def planted(count: int, language: str) -> tuple[list[str], list[int]]:
    """Returns different texts with an edited copy of each, shuffled, and the pair each belongs to."""
    rng = random.Random(language)
    words = ["".join(rng.choices("abcdefghijklmnopqrst", k=rng.randint(2, 9))) for _ in range(3000)]
    common = [chr(0x4E00 + rng.randrange(2000)) for _ in range(1500)]

    def text() -> str:
        chinese = "".join(rng.choices(common, k=rng.randint(40, 200)))
        english = " ".join(rng.choices(words, k=rng.randint(15, 60)))
        return {"zh": chinese, "en": english, "mixed": chinese + " " + english}[language]

    pairs = [
        (at, t) for at in range(count) for base in [text()] for t in (base, edited(rng, base, rng.uniform(0.01, 0.08)))
    ]
    rng.shuffle(pairs)
    return [t for _, t in pairs], [at for at, _ in pairs]


@pytest.mark.parametrize("language", ["zh", "en", "mixed"])
def test_planted_pairs_are_found_and_nothing_else_is_dropped(make_rows: Any, language: str) -> None:
    """Of pairs at threshold + 0.05 at least 98 % are found; every drop is true, and its score is the similarity."""
    texts, pair = planted(400, language)
    rows = documents(make_rows, texts)
    found = dropped(MinhashDedup(), rows[:300], rows[300:])
    sets = [shingles(text) for text in texts]
    for row, (other, score) in found.items():
        assert pair[row] == pair[other]
        assert other not in found
        assert score == pytest.approx(jaccard(sets[row], sets[other]))
        assert score >= 0.7
    members: dict[int, list[int]] = {}
    for at, number in enumerate(pair):
        members.setdefault(number, []).append(at)
    near = [(i, j) for i, j in members.values() if jaccard(sets[i], sets[j]) >= 0.75]
    assert len(near) > 100
    assert sum(j in found for _, j in near) >= 0.98 * len(near)
    assert all(i < j and i not in found for i, j in near)


def test_ten_thousand_copies_leave_one(make_rows: Any) -> None:
    """Whatever their number, of identical rows among others the first stays."""
    rows = documents(make_rows, ["Please say that again, I did not hear it."])
    copies = pl.concat([rows] * 10_000).with_columns(id=pl.int_range(10_000).cast(pl.String).str.zfill(32))
    others = documents(make_rows, [f"{ZH[at:]}{ZH[:at]}" for at in range(0, 40, 8)])
    others = others.with_columns(id=pl.col("id").str.replace("^00", "ff"))
    lines = select_lines(MinhashDedup(), copies[:6000], others, copies[6000:])
    assert lines.height == 9_999 + 4
    assert lines.filter(pl.col("id").str.starts_with("0"))["other_id"].unique().to_list() == [copies["id"][0]]


def _calls(count: int) -> list[dict[str, Any]]:
    """Returns chats that share system message, tools and wording and differ in what is called."""
    rng = random.Random(3)
    system = "You are a helpful assistant with access to functions. Use them if required. " * 8
    tools = orjson.dumps([{"type": "function", "function": {"name": "book", "description": "Books. " * 40}}]).decode()
    rows = []
    for _ in range(count):
        city, day, seats = (
            rng.choice(("Bern", "Graz", "Lyon", "Oslo", "Riga", "Turin")),
            rng.randrange(1, 29),
            rng.randrange(10**5),
        )
        arguments = {"to": f"{city}-{seats}", "day": f"2026-05-{day:02d}", "seats": seats}
        call = [{"type": "function", "function": {"name": "book", "arguments": arguments}}]
        said = "Hello, could you please help me and book a ticket for the train, I would like to go there with"
        messages = [
            ("s", system),
            ("u", f"{said} {seats} people to {city} on May {day}"),
            {"role": "assistant", "tool_calls": orjson.dumps(call).decode()},
            ("a", "I have booked the tickets for you. Is there anything else that I can help you with today?"),
        ]
        rows.append({"messages": messages, "tools": tools})
    return rows


def test_templated_tool_calls_that_differ_are_kept(make_rows: Any) -> None:
    """Rows of one template stay, but for equal ones; without stripping most would go."""
    records = _calls(1500)
    different = len({orjson.dumps(record["messages"]) for record in records})
    rows = make_rows(*records)
    kept = rows.height - len(dropped(MinhashDedup(), rows[:700], rows[700:]))
    assert kept >= 0.999 * different
    assert kept == rows.height - len(dropped(MinhashDedup(scaffold="keep"), rows))
    spoken = MinhashDedup(same_calls=False)
    assert rows.height - len(dropped(spoken, rows)) >= 0.999 * different
    assert len(dropped(MinhashDedup(scaffold="keep", same_calls=False), rows)) > 0.9 * rows.height


def test_call_ids_do_not_count_and_arguments_do(make_rows: Any) -> None:
    """A call with another id is the same call; with another argument, or in another place, it is not."""

    def row(call_id: str, arguments: dict[str, Any], question: str = "How warm is it there just now, please?") -> Any:
        function = {"name": "weather", "arguments": arguments}
        call = {"id": call_id, "type": "function", "function": function}
        said = [
            ("u", question),
            {"role": "assistant", "tool_calls": orjson.dumps([call]).decode()},
            ("a", "It is 12 degrees."),
        ]
        return {"messages": said}

    city = {"city": "Bern", "id": "7"}
    rows = make_rows(
        row("call_1", city),
        row('call_\\2"x', city),
        row("call_3", {"city": "Bonn", "id": "7"}),
        row("call_4", {"city": "Bern", "id": "8"}),
        row("call_5", city, "How warm is it there just now, please??"),
    )
    assert dropped(MinhashDedup(), rows).keys() == {1, 4}
    assert dropped(MinhashDedup(), rows)[1] == (0, 1.0)
    assert dropped(MinhashDedup(same_calls=False), rows).keys() == {1, 2, 3, 4}


def test_rows_that_are_all_scaffold_are_compared_whole(make_rows: Any) -> None:
    """Two different rows that only have shingles of the scaffold do not collide; equal ones do."""
    greeting, parting = "Welcome to the shop, how may I help?", "Thank you for calling, goodbye and see you soon."
    both = [f"{greeting} {parting} {at * 7919 % 100003:06d} {chr(0x4E00 + 3 * at)}" for at in range(300)]
    rows = documents(make_rows, [greeting, parting, greeting + " ", *both])
    assert dropped(MinhashDedup(), rows) == {2: (0, 1.0)}


Q, A, B = (
    ("u", "Which plan has the most data for travelling abroad?"),
    ("a", "Plan L has 50 GB."),
    ("a", "I will check."),
)


def test_prompts_answers_and_rows(make_rows: Any) -> None:
    """On prompts the last answer does not count, on answers nothing else does."""
    rows = make_rows(
        {"messages": [Q, A]},
        {"messages": [Q, ("a", "It depends on where you travel, may I ask for the country?")]},
        {"messages": [("u", "And now for something else entirely: opening hours?"), A]},
        {"messages": [("s", "Be brief."), Q, A]},
    )
    assert dropped(MinhashDedup(on="prompt"), rows) == {1: (0, 1.0), 3: (0, 1.0)}
    assert dropped(MinhashDedup(on="answer"), rows) == {2: (0, 1.0), 3: (0, 1.0)}
    assert dropped(MinhashDedup(), rows) == {3: (0, 1.0)}
    assert dropped(MinhashDedup(threshold=1, scaffold="keep"), rows) == {}


def test_turns_are_a_set(make_rows: Any) -> None:
    """On turns a row is as similar as the share of turns in common, in whatever order."""
    turns = [("u" if at % 2 == 0 else "a", f"turn number {at} {ZH[at : at + 5]}") for at in range(10)]
    rows = make_rows(
        {"messages": turns}, {"messages": turns[2:] + turns[:2]}, {"messages": turns[:8]}, {"messages": turns[:6]}
    )
    assert dropped(MinhashDedup(on="turns"), rows) == {1: (0, 1.0), 2: (0, 0.8)}


def test_pairs_go_by_their_prompt_and_labels_stay_apart(make_rows: Any) -> None:
    """A pair is dropped whole; a good and a bad answer to one prompt both stay; kinds are never compared."""
    pair = {"kind": "preference", "prompt": [Q], "chosen": [A], "rejected": [B]}
    judged = {"kind": "kto", "prompt": [Q], "completion": [A]}
    rows = make_rows(
        {"messages": [Q]},
        pair,
        {**pair, "chosen": [B], "rejected": [A]},
        {**judged, "label": True},
        {**judged, "label": False},
        {**judged, "label": True, "completion": [B]},
        {"kind": "text", "text": Q[1]},
    )
    assert dropped(MinhashDedup(), rows) == {2: (1, 1.0), 5: (3, 1.0)}
    assert dropped(MinhashDedup(on="answer"), rows) == {}


NEAR = ["the quick brown fox jumps over the lazy dog and runs away" + end for end in ("", " x", " xy", " fast")]


def test_which_row_stays(make_rows: Any) -> None:
    """First, longest, by source, by score or by time; protected rows always."""
    times = [{"at": "2026-01-02"}, {"at": "2026-03-01T10:00:00Z"}, {}, {"at": 1_700_000_000}]
    sources = ["b", "a", "c", "a"]
    rows = documents(make_rows, NEAR).with_columns(
        source=pl.Series(sources),
        meta=pl.Series([orjson.dumps(t).decode() for t in times]),
        quality=pl.Series([0.1, 0.2, None, 0.3]),
    )

    def kept(**parameters: Any) -> list[int]:
        gone = dropped(MinhashDedup.model_validate(parameters), rows)
        return [at for at in range(4) if at not in gone]

    assert kept() == [0]
    assert kept(keep="longest") == [3]
    assert kept(keep="source", sources=["a", "b"]) == [1]
    assert kept(keep="score", column="quality") == [3]
    assert kept(keep="newest", time="at") == [1]
    assert kept(protect={"source": ["c"]}) == [2]
    assert kept(protect={"source": ["a"]}) == [1, 3]


def test_a_missing_score_column_is_told(make_rows: Any) -> None:
    """A column that no earlier stage wrote is an error that names it, and so is a policy without its field."""
    with pytest.raises(StageError, match="keeps by the number column 'quality', which no earlier stage writes"):
        dropped(MinhashDedup(keep="score", column="quality"), documents(make_rows, NEAR))
    with pytest.raises(ValidationError, match="`time` is needed with `keep: newest`, and only then"):
        MinhashDedup(keep="newest")


def test_a_sketch_reads_its_rows_only(make_rows: Any) -> None:
    """A frame's sketch is its halves' sketches; rows without text are left out; no rows give an empty one."""
    rows = make_rows(
        *({"messages": [("u", ZH[at:]), A]} for at in range(6)),
        {"messages": [("u", "")]},
        {"kind": "text", "text": "x"},
    )
    stage = MinhashDedup()
    whole, *halves = (stage.sketch(ArrowRows.of(some), None) for some in (rows, rows[:3], rows[3:]))
    assert whole.rows["row"].to_list() == [0, 1, 2, 3, 4, 5, 7]
    assert whole.rows.drop("row").equals(pl.concat([h.rows for h in halves]).drop("row"))
    assert (whole.keys[3:] == halves[1].keys).all()
    assert whole.keys.shape == (7, stage.keys_per_row)
    assert stage.sketch(ArrowRows.of(empty_rows()), None).rows.schema == whole.rows.schema


def test_null_and_empty_fields_are_no_trouble(make_rows: Any) -> None:
    """Rows of all kinds, some with nothing in them, in one frame and in slices of it."""
    rows = make_rows(
        {"messages": []},
        {"messages": [("s", "only a system message")]},
        {"messages": [{"role": "assistant", "tool_calls": "[]"}]},
        {"kind": "preference", "prompt": [Q], "chosen": [A], "rejected": None},
        {"kind": "text", "text": None},
        {"messages": [Q, A]},
        {"messages": [Q, A]},
    )
    for on in ("row", "prompt", "answer", "turns"):
        assert dropped(MinhashDedup(on=on), rows[1:4], rows[4:]).keys() == {5}
