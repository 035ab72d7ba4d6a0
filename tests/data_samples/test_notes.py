"""NOTES.md tells the truth: each flaw it lists stands at the place it says."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2] / "data_samples"
ROW = re.compile(r"\| (\S+) \| (line|element|call) (\S+) \| `(\w+)` \| (\S+) \| (.+?) \| `(.*)` \|", re.DOTALL)


class Note(NamedTuple):
    """One line of the table."""

    file: str
    kind: str
    at: str
    code: str
    stage: str
    must: str
    marker: str


def _notes() -> list[Note]:
    text = (ROOT / "NOTES.md").read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if re.match(r"\| \w+/", line)]
    notes = [Note(*match.groups()) for line in lines if (match := ROW.fullmatch(line)) is not None]
    assert len(notes) == len(lines)
    return [note._replace(marker=note.marker.replace("\\|", "|")) for note in notes]


NOTES = _notes()


@cache
def _table() -> dict[str, str]:
    calls: dict[str, str] = {}
    text = (ROOT / "calls/calls.csv").read_text(encoding="utf-8")
    for row in csv.reader(io.StringIO(text, newline="")):
        calls[row[0]] = calls.get(row[0], "") + ",".join(row) + "\n"
    return calls


def _at(note: Note) -> str:
    """Returns the text of the record a note points at."""
    if note.kind == "call":
        return _table()[note.at]
    text = (ROOT / note.file).read_text(encoding="utf-8")
    if note.kind == "line":
        return text.split("\n")[int(note.at) - 1]
    return json.dumps(json.loads(text)[int(note.at)], ensure_ascii=False)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _raises(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return True
    return False


CHECKS: dict[str, Callable[[str], bool]] = {
    "malformed_json": _raises,
    "null_content": lambda line: any(m["content"] is None for m in json.loads(line)["messages"]),
    "no_assistant": lambda line: all(m["role"] != "assistant" for m in json.loads(line)["messages"]),
    "no_messages": lambda line: json.loads(line)["messages"] == [],
    "empty_answer": lambda line: "" in (json.loads(line).get("output"), json.loads(line).get("answer")),
    "equal_pair": lambda line: json.loads(line)["chosen"] == json.loads(line)["rejected"],
    "missing_chosen": lambda line: "chosen" not in json.loads(line),
    "traditional": lambda text: "請問" in text,
    "full_width": lambda text: re.search("[\uff10-\uff19\uff21-\uff3a]", text) is not None,
    "control_token": lambda text: "<|im_end|>" in text,
    "zero_width": lambda text: "\u200b" in text,
    "unknown_speaker": lambda text: ",系统," in text,
    "agent_only": lambda text: ",客户," not in text,
    "handoff": lambda text: "转人工" in text or "human agent" in text,
    "mojibake": lambda text: re.search("[\u00c2-\u00f4][\u0080-\u00bf\u2000-\u2122\u0152-\u0192]", text) is not None,
    "same_second": lambda text: len(set(re.findall(r"\d{2}:\d{2}:\d{2}", text))) < text.count("C0"),
    "out_of_order": lambda text: re.findall(r",(\d{4}-.*?),", text) != sorted(re.findall(r",(\d{4}-.*?),", text)),
    "dangling_result": lambda line: '"id": "call_nobody"' not in line,
    "open_fence": lambda line: json.loads(line)["output"].count("```") == 1,
}
"""Codes that can be checked beyond their marker."""


@pytest.mark.parametrize("note", NOTES, ids=lambda n: f"{n.file}:{n.at}:{n.code}")
def test_each_note_points_at_its_flaw(note: Note) -> None:
    """The marker stands in the record at the place, and the record has the flaw named."""
    record = _at(note)
    decoded = record if note.kind == "call" or _raises(record) else "\n".join(_strings(json.loads(record)))
    assert note.marker
    assert note.marker in record or note.marker in decoded
    assert CHECKS.get(note.code, bool)(record)


def test_every_checked_flaw_is_planted() -> None:
    """No check stands for a flaw that the data no longer has."""
    assert set(CHECKS) <= {note.code for note in NOTES}


def test_every_data_file_but_the_exam_has_flaws() -> None:
    """The exam must be right as it stands; every other data file holds planted flaws."""
    flawed = {note.file for note in NOTES}
    data = {
        p.relative_to(ROOT).as_posix()
        for part in ("calls", "general", "math", "preference", "tools")
        for p in (ROOT / part).iterdir()
    }
    assert data - {"calls/lexicon_extra.txt"} <= flawed
    assert "eval/service_mc.jsonl" not in flawed


def test_repeats_have_an_original() -> None:
    """A row noted as an exact repeat stands in its file a second time."""
    for note in NOTES:
        if note.code == "exact_repeat" and note.kind == "line":
            lines = (ROOT / note.file).read_text(encoding="utf-8").split("\n")
            assert lines.count(lines[int(note.at) - 1]) == 2
        elif note.code == "exact_repeat" and note.kind == "element":
            rows = json.loads((ROOT / note.file).read_text(encoding="utf-8"))
            assert rows.count(rows[int(note.at)]) == 2


def test_leaked_questions_are_questions_of_the_exam() -> None:
    """What decontamination must find is word for word in the exam."""
    exam = (ROOT / "eval/service_mc.jsonl").read_text(encoding="utf-8")
    leaks = [note for note in NOTES if note.code == "eval_leak"]
    assert len(leaks) >= 6
    assert all(note.marker in exam for note in leaks)
