"""The calls: an utterance table (CSV), Chinese and English chats (OpenAI messages), and the filler lexicon."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .call_flaws import Turns, spoil
from .dialogue import compose
from .flaws import Flaw, Note, Record, compact, spread, write_jsonl
from .grammar import Scene, load_slots, stream
from .speech import FILLERS_EXTRA

COLUMNS = ("call_id", "time", "speaker", "text", "agent", "age", "gender", "region")
SPEAKERS = {"assistant": "坐席", "user": "客户", "system": "系统"}
_START = datetime(2025, 3, 3, 8, 30)
_SYSTEM = {
    "zh": (
        "你是青禾生活的电话客服，说话简短、礼貌，按服务规定回答。",
        "你是青禾客服坐席。客户资料：{age}岁，{gender}，来自{region}。",
        "你在青禾服务热线工作，请先弄清问题，再给出办法。",
    ),
    "en": (
        "You are a phone agent of Greenstem. Be brief and kind, and answer by the service rules.",
        "You work at Greenstem support. Customer: {age} years old, {gender}, from {region}.",
        "You answer calls at Greenstem. Find out what is wrong, then solve it.",
    ),
}


@dataclass(frozen=True)
class TableCall:
    """A call of the utterance table: its turns, the flaw it carries, and the order its rows stand in the file."""

    turns: Turns
    flaw: Flaw | None = None
    order: str = "by time"


def _call(rng: random.Random, language: str, noise: float) -> Turns:
    return compose(rng, language, noise, rng.random() < 0.7, rng.randrange(1, 5)).turns


def _table_calls() -> list[TableCall]:
    clean = [TableCall(_call(stream("csv", i), "zh", 0.35)) for i in range(352)]
    planted: list[TableCall] = []
    codes = (
        *("handoff",) * 4,
        *("same_role_twice", "same_agent_twice", "only_filler", "pii", "eval_leak") * 2,
        *("control_token", "mojibake", "full_width", "traditional", "zero_width", "over_long", "loop"),
        *("line_breaks", "ends_with_customer"),
    )
    for i, code in enumerate(codes):
        rng = stream("csv", code, i)
        planted.append(TableCall(*spoil(code, rng, _call(rng, "zh", 0.35))))
    planted += _ordered() + _odd() + _repeats(clean)
    rng = stream("csv", "spread")
    places = sorted(rng.sample(range(len(clean) + len(planted)), len(planted)))
    for place, call in zip(places, planted, strict=True):
        clean.insert(place, call)
    return clean


def _ordered() -> list[TableCall]:
    kinds = (
        *(("shuffled", "out_of_order", "sort the utterances by time"),) * 3,
        *(("interleaved", "interleaved", "group by call_id: its rows stand between those of the next call"),) * 2,
        ("same second", "same_second", "two utterances share a time: keep their order in the file"),
    )
    calls = []
    for i, (order, code, must) in enumerate(kinds):
        turns = _call(stream("csv", code, i), "zh", 0.35)
        calls.append(TableCall(turns, Flaw(code, "ingest", must, turns[1][1]), order))
    return calls


def _odd() -> list[TableCall]:
    calls = []
    for i, text in enumerate(("系统提示：通话已接通，本次通话可能被录音。", "系统提示：客户已按键评价。")):
        turns = _call(stream("csv", "system", i), "zh", 0.35)
        at = 0 if i == 0 else len(turns) - 1
        flaw = Flaw("unknown_speaker", "ingest", "drop the utterance of a speaker no role is given for", text)
        calls.append(TableCall([*turns[:at], ("system", text), *turns[at:]], flaw))
    for i in range(2):
        turns = _call(stream("csv", "empty", i), "zh", 0.35)
        flaw = Flaw("empty_text", "ingest", "drop the utterance without text", ",客户,,")
        calls.append(TableCall([*turns[:2], ("user", ""), *turns[2:]], flaw))
    alone = [turn for turn in _call(stream("csv", "alone"), "zh", 0.35) if turn[0] == "assistant"]
    must = "drop: nobody but the agent speaks"
    calls.append(TableCall(alone, Flaw("agent_only", "validate_chat", must, alone[0][1])))
    asked = [("user", "转人工，转人工。"), ("assistant", "好的，马上为您转人工客服，请稍候。")]
    flaw = Flaw(
        "handoff_at_start", "forbid", "drop: nothing is left before the turn that asks for a human", asked[0][1]
    )
    calls.append(TableCall(asked, flaw))
    return calls


def _repeats(clean: Sequence[TableCall]) -> list[TableCall]:
    calls = []
    long = [call for call in clean if len(call.turns) >= 10]
    for i in range(4):
        turns = long[3 * i].turns
        flaw = Flaw("exact_repeat", "exact_dedup", "drop: the same call under another call_id", turns[2][1])
        calls.append(TableCall(turns, flaw))
    for i in range(3):
        turns = [*long[40 + 5 * i].turns]
        turns[-2] = ("user", "没有别的事了，多谢你啊，再见。")
        flaw = Flaw("near_repeat", "minhash_dedup", "drop: a call but for one turn the same as another", turns[-2][1])
        calls.append(TableCall(turns, flaw))
    return calls


def write_table(root: Path) -> list[Note]:
    """Writes calls/calls.csv and returns its notes, their place the call_id."""
    calls = _table_calls()
    rng = stream("csv", "columns")
    notes: list[Note] = []
    blocks: list[list[list[str]]] = []
    clock = _START
    for number, call in enumerate(calls):
        call_id = f"C{number + 1:05d}"
        blocks.append(_rows(rng, call_id, clock, call))
        clock += timedelta(seconds=rng.randrange(60, 900))
        if call.flaw is not None:
            notes.append(Note("calls/calls.csv", f"call {call_id}", call.flaw))
    lines: list[list[str]] = []
    for number, block in enumerate(blocks):
        if number > 0 and calls[number - 1].order == "interleaved":
            lines = _interleave(rng, lines, len(blocks[number - 1]), block)
        else:
            lines += block
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([list(COLUMNS), *lines])
    (root / "calls").mkdir(parents=True, exist_ok=True)
    (root / "calls/calls.csv").write_text(text.getvalue(), encoding="utf-8", newline="\n")
    return notes


def _rows(rng: random.Random, call_id: str, clock: datetime, call: TableCall) -> list[list[str]]:
    scene = Scene(rng, load_slots("slots_zh"))
    agent, age, gender = f"A{rng.randrange(1001, 1041)}", str(rng.randrange(19, 82)), rng.choice(("男", "女"))
    region, rows = scene.slot("city"), []
    for turn, (role, said) in enumerate(call.turns):
        if turn != 3 or call.order != "same second":
            clock += timedelta(seconds=rng.randrange(2, 24))
        rows.append([call_id, f"{clock:%Y-%m-%d %H:%M:%S}", SPEAKERS[role], said, agent, age, gender, region])
    if call.order == "shuffled":
        rng.shuffle(rows)
    return rows


def _interleave(rng: random.Random, lines: list[list[str]], size: int, block: list[list[str]]) -> list[list[str]]:
    head, tail = lines[: len(lines) - size], lines[len(lines) - size :]
    while tail or block:
        source = tail if not block or (tail and rng.random() < 0.5) else block
        head.append(source[0])
        del source[0]
    return head


def _chat(language: str, rng: random.Random, turns: Turns) -> dict[str, Any]:
    facts = Scene(rng, load_slots(f"slots_{language}"))
    gender = rng.choice(("男", "女") if language == "zh" else ("male", "female"))
    facts.bound |= {"age": str(rng.randrange(19, 82)), "gender": gender, "region": facts.slot("city")}
    system = facts.pick(_SYSTEM[language])
    return {"messages": [{"role": role, "content": text} for role, text in [("system", system), *turns]]}


def _chat_records(language: str, count: int, codes: Sequence[str]) -> list[Record]:
    clean = []
    for i in range(count):
        rng = stream("chat", language, i)
        clean.append(Record(_chat(language, rng, _call(rng, language, 0.3))))
    planted = []
    for code in codes:
        rng = stream("chat", language, code)
        turns, flaw = spoil(code, rng, _call(rng, language, 0.3))
        planted.append(Record(_chat(language, rng, turns), flaw))
    planted += _broken(language) + _chat_repeats(clean)
    return spread(stream("chat", language, "spread"), clean, planted)


def _chat_repeats(clean: Sequence[Record]) -> list[Record]:
    records = []
    for i in range(3):
        value = clean[7 + 11 * i].value
        flaw = Flaw("exact_repeat", "exact_dedup", "drop: a repeated row", value["messages"][2]["content"])
        records.append(Record(value, flaw))
    return records


def _broken(language: str) -> list[Record]:
    rng = stream("chat", language, "broken")
    good = [_chat(language, rng, _call(rng, language, 0.3)) for _ in range(6)]
    half = compact(good[0])[:120]
    good[1]["messages"][2]["content"] = None
    good[2]["messages"][3]["role"] = "robot"
    good[3]["messages"] = []
    good[4]["messages"] = [m for m in good[4]["messages"] if m["role"] != "assistant"]
    del good[5]["messages"]
    good[5]["dialog"] = "?"
    quarantine = "quarantine the line with its number, read on"
    return [
        Record(None, Flaw("malformed_json", "ingest", quarantine, half[:30]), raw=half),
        Record(
            good[1], Flaw("null_content", "validate_chat", "drop: a turn without content or call", '"content": null')
        ),
        Record(good[2], Flaw("unknown_role", "ingest", "quarantine: a role nobody declared", '"role": "robot"')),
        Record(good[3], Flaw("no_messages", "validate_chat", "drop: no turns at all", '"messages": []')),
        Record(good[4], Flaw("no_assistant", "validate_chat", "drop: nothing to learn from", '"role": "user"')),
        Record(good[5], Flaw("wrong_shape", "ingest", "quarantine: the columns of the file are missing", '"dialog"')),
    ]


def write_chats(root: Path) -> list[Note]:
    """Writes calls/calls_zh.jsonl and calls/calls_en.jsonl and returns their notes."""
    shared = (
        *("handoff", "control_token", "mojibake", "full_width", "zero_width", "only_filler", "over_long", "loop"),
        *("line_breaks", "eval_leak", "pii", "same_role_twice", "same_agent_twice", "ends_with_customer"),
    )
    notes = write_jsonl(root, "calls/calls_zh.jsonl", _chat_records("zh", 280, (*shared, "traditional")))
    return notes + write_jsonl(root, "calls/calls_en.jsonl", _chat_records("en", 190, shared))


def write_lexicon(root: Path) -> None:
    """Writes calls/lexicon_extra.txt: fillers of this data beyond the usual ones, one a line."""
    head = "# Fillers heard in these calls beyond the usual ones, one a line.\n"
    (root / "calls/lexicon_extra.txt").write_text(
        head + "\n".join(FILLERS_EXTRA) + "\n", encoding="utf-8", newline="\n"
    )
