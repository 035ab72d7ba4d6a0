"""The word problems: stories of two to five steps whose arithmetic is done while they are told, two languages."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from .call_flaws import leak
from .flaws import Flaw, Note, Record, spread, write_jsonl
from .grammar import Scene, load, load_slots, stream

_COUNT = 600
_STEPS = ("add", "take", "times", "share", "price", "days", "group")


def _step(rng: random.Random, kind: str, value: int) -> tuple[int, int, str] | None:
    """Returns the operand, the result and the calculation of one step, or null where it cannot follow."""
    if kind in ("add", "days"):
        k, m = rng.randrange(3, 60), rng.randrange(2, 9)
        return (k, value + k, f"{value} + {k}") if kind == "add" else (m, value + 5 * m, f"{value} + 5 * {m}")
    if kind == "take":
        k = rng.randrange(1, max(2, value // 2))
        return (k, value - k, f"{value} - {k}") if value > 4 else None
    if kind in ("times", "price"):
        k = rng.randrange(2, 8)
        return (k, value * k, f"{value} * {k}") if value <= 400 else None
    divisors = [k for k in range(2, 13) if value % k == 0 and value > k]
    if not divisors:
        return None
    k = rng.choice(divisors)
    return k, value // k, f"{value} / {k}"


_LAST = ("price", "share", "group")
"""Steps that change what is counted, so the story ends with them."""


def problem(number: int) -> dict[str, Any]:
    """Returns one problem: question and answer, its last line ``#### n``."""
    rng = stream("math", number)
    language = "zh" if number % 2 == 0 else "en"
    parts = load("math")[language]
    slots = load_slots(f"slots_math_{language}")
    scene = Scene(rng, slots)
    value = rng.randrange(12, 90)
    scene.bound["v"] = str(value)
    story, work, asks = [scene.pick(parts["start"])], [], parts["ask"]
    for at in range(rng.randrange(2, 5)):
        kind = rng.choice(_STEPS if at > 0 else _STEPS[:4])
        step = _step(rng, kind, value)
        if step is None:
            continue
        operand, result, sum_text = step
        scene.bound["who2"] = rng.choice([name for name in slots["who"] if name != scene.slot("who")])
        scene.bound |= {"k": str(operand), "old": str(value), "new": str(result)}
        story.append(scene.pick(parts[kind]))
        work.append(f"{scene.pick(parts[f'{kind}_why'])}{sum_text} = {result}{'。' if language == 'zh' else '.'}")
        value = result
        if kind in _LAST:
            asks = parts[f"{kind}_ask"]
            break
    if not work:
        return problem(number + 10_000)
    joint = "" if language == "zh" else " "
    question = joint.join([*story, scene.pick(asks)])
    return {"question": question, "answer": "\n".join([*work, f"#### {value}"])}


def _planted(clean: list[Record]) -> list[Record]:
    rows = [dict(record.value) for record in clean[5:90:9]]
    twice = clean[5].value
    wide = "".join(chr(ord(char) + 0xFEE0) if char.isdigit() else char for char in rows[1]["question"])
    return [
        Record(
            None,
            Flaw("malformed_json", "ingest", "quarantine the line with its number", '{"question": "half'),
            '{"question": "half a',
        ),
        Record(
            rows[0] | {"answer": ""}, Flaw("empty_answer", "validate_chat", "drop: the answer is empty", '"answer": ""')
        ),
        Record(rows[1] | {"question": wide}, Flaw("full_width", "normalize", "fold full-width digits", wide[:12])),
        Record(
            rows[2] | {"answer": None},
            Flaw("null_answer", "validate_chat", "drop: the answer is null", '"answer": null'),
        ),
        Record(twice, Flaw("exact_repeat", "exact_dedup", "drop: a repeated row", twice["question"][:20])),
        Record(
            rows[3] | {"answer": "I don't know."},
            Flaw("no_result", "require", "drop: no line '#### n'", "I don't know."),
        ),
        Record(
            rows[4] | {"question": leak("en")},
            Flaw("eval_leak", "decontaminate", "drop: holds a question of eval/service_mc.jsonl", leak("en")),
        ),
        Record(
            {"question": rows[5]["question"]},
            Flaw("missing_column", "ingest", "quarantine: no answer", rows[5]["question"][:20]),
        ),
    ]


def write_math(root: Path) -> list[Note]:
    """Writes math/math.jsonl and returns its notes."""
    clean = [Record(problem(number)) for number in range(_COUNT)]
    return write_jsonl(root, "math/math.jsonl", spread(stream("math", "spread"), clean, _planted(clean)))
