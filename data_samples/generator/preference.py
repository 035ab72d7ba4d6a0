"""The preference pairs: a customer's question with a good and a bad answer, and single judged answers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from .dialogue import bank, talk, topics
from .flaws import Flaw, Note, Record, compact, spread, write_array, write_jsonl
from .grammar import Scene, stream

_COUNT = 150
_BAD = {
    "zh": (
        "[不知道|不清楚]，[你自己查吧|去网上搜搜]。",
        "这个[不归我管|我管不了]，[你打别的电话|下次再说]。",
        "[都说了多少遍了|跟你说不明白]，[爱办不办|别再问了]。",
        "[可能|大概][可以吧|要很久]，[我也不确定|谁知道呢]。",
        "您好您好，[非常非常抱歉|真的真的抱歉]，[抱歉抱歉|实在抱歉]，[我们会重视的|感谢理解]。",
        "[肯定没问题|一定马上好]，[我保证今天解决|全部免费]，[您放心|包在我身上]。",
    ),
    "en": (
        "[No idea|I don't know], [look it up yourself|search the web].",
        "That is [not my job|another team], [call someone else|try later].",
        "I already told you, [take it or leave it|stop asking].",
        "[Maybe|Perhaps], [it may take long|who knows], I'm not sure.",
        "Sorry, sorry, we are [so very|really very] sorry, [thank you for understanding|we value you].",
        "[Sure|No problem at all], [everything is free|it is done today], I promise.",
    ),
}


def _pair(rng: random.Random, language: str) -> tuple[list[dict[str, str]], str, str]:
    part, shared = rng.choice([topics(language)[name] for name in sorted(topics(language))]), talk(language)
    scene = Scene(rng, bank(language))
    joint = "" if language == "zh" else " "
    if rng.random() < 0.5:
        said = [("human", scene.pick(part["problem"]))]
        good = scene.pick(shared["empathy"]) + joint + scene.pick(part["probe"])
    else:
        at = rng.randrange(len(part["probe"]))
        said = [("human", scene.pick(part["problem"])), ("gpt", scene.say(part["probe"][at]))]
        said.append(("human", scene.say(part["detail"][at])))
        good = scene.pick(shared["empathy"]) + joint + scene.pick(part["solve"])
        if rng.random() < 0.6:
            said += [("gpt", good), ("human", scene.pick(part["ask1"]))]
            good = scene.pick(part["say1"])
    turns = [{"from": role, "value": _close(text, language)} for role, text in said]
    return turns, _close(good, language), _close(scene.pick(_BAD[language]), language)


def _close(text: str, language: str) -> str:
    text = text.strip("，, ").replace("  ", " ")
    if language == "zh":
        return text if text[-1] in "。？！" else text + "。"
    return text[0].upper() + text[1:] + ("" if text[-1] in ".?!" else ".")


def _row(number: int) -> dict[str, Any]:
    turns, good, bad = _pair(stream("preference", number), "zh" if number % 3 else "en")
    chosen, rejected = ({"from": "gpt", "value": text} for text in (good, bad))
    return {"conversations": turns, "chosen": chosen, "rejected": rejected}


def _planted(clean: list[Record]) -> list[Record]:
    rows = [_row(1000 + number) for number in range(6)]
    same = rows[0] | {"rejected": rows[0]["chosen"]}
    empty = rows[1] | {"rejected": {"from": "gpt", "value": ""}}
    missing = {"conversations": rows[2]["conversations"], "rejected": rows[2]["rejected"]}
    answered = rows[3] | {"conversations": [*rows[3]["conversations"], {"from": "gpt", "value": "好的，已经处理。"}]}
    token = {"from": "human", "value": "<|im_end|>" + rows[4]["conversations"][-1]["value"]}
    typed = rows[4] | {"conversations": [*rows[4]["conversations"][:-1], token]}
    swapped = rows[5] | {"conversations": [{"from": "gpt", "value": "您好，请讲。"}, *rows[5]["conversations"]]}
    repeated = clean[9].value
    must = "make the typed control tokens plain text or drop the row; never an end-of-turn id"
    return [
        Record(
            same, Flaw("equal_pair", "validate_chat", "drop: chosen and rejected are the same", same["chosen"]["value"])
        ),
        Record(empty, Flaw("empty_rejected", "validate_chat", "drop: the rejected answer is empty", '"value": ""')),
        Record(missing, Flaw("missing_chosen", "ingest", "quarantine: no chosen answer", missing["rejected"]["value"])),
        Record(
            answered,
            Flaw("prompt_ends_answered", "validate_chat", "drop: the prompt ends with an answer", "好的，已经处理。"),
        ),
        Record(typed, Flaw("control_token", "normalize", must, "<|im_end|>")),
        Record(
            swapped,
            Flaw("leading_assistant", "validate_chat", "keep: the agent speaks first, as in calls", "您好，请讲。"),
        ),
        Record(
            repeated, Flaw("exact_repeat", "exact_dedup", "drop: a repeated row", repeated["conversations"][0]["value"])
        ),
    ]


def write_preference(root: Path) -> list[Note]:
    """Writes preference/preference.json and returns its notes."""
    clean = [Record(_row(number)) for number in range(_COUNT)]
    rows = spread(stream("preference", "spread"), clean, _planted(clean))
    return write_array(root, "preference/preference.json", rows)


def write_judged(root: Path) -> list[Note]:
    """Writes preference/judged.jsonl, prompt, completion and a true or false label, and returns its notes."""
    rows = []
    for number in range(120):
        turns, good, bad = _pair(stream("judged", number), "zh" if number % 3 else "en")
        label = number % 2 == 0
        rows.append({"prompt": turns[0]["value"], "completion": good if label else bad, "label": label})
        if len(turns) > 1:  # a later answer would not fit the first question
            rows[-1]["completion"] = turns[1]["value"] if label else bad
    half = compact(rows[0])[:40]
    unlabelled = rows.pop() | {"label": None}
    planted = [
        Record(unlabelled, Flaw("null_label", "ingest", "quarantine: no label", '"label": null')),
        Record(None, Flaw("malformed_json", "ingest", "quarantine the line with its number", half[:20]), raw=half),
    ]
    clean = [Record(row) for row in rows]
    return write_jsonl(root, "preference/judged.jsonl", spread(stream("judged", "spread"), clean, planted))
