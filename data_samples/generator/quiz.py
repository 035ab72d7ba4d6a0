"""The multiple-choice exam of the service rules: what the calls teach, asked in other words."""

from __future__ import annotations

from pathlib import Path

from .flaws import Note, Record, write_jsonl
from .grammar import load, stream

_FRAMES = {"zh": ("关于{topic}的服务规定：{question}",), "en": ("On {topic}: {question}",)}
_TOTAL = 80


def write_quiz(root: Path) -> list[Note]:
    """Writes eval/service_mc.jsonl: 80 questions of four choices, ``answer`` the index from 0; it has no flaws."""
    names = {language: load(f"topics_{language}") for language in ("zh", "en")}
    records: list[Record] = []
    for round_number in (1, 2):
        for topic, facts in load("facts").items():
            for key in ("zh1", "en1", "zh2", "en2"):
                if round_number == 2 and (key in ("zh2", "en2") or len(records) >= _TOTAL):
                    continue
                language, question = key[:2], facts[key][0]
                if round_number == 2:
                    frame = _FRAMES[language][0]
                    question = frame.format(topic=names[language][topic]["name"][0], question=question)
                right, *wrong = facts[f"{key}_choices"][0].split(" | ")
                choices = [right, *wrong]
                stream("quiz", key, topic, round_number).shuffle(choices)
                value = {"id": f"mc-{len(records) + 1:03d}", "ability": "service", "topic": topic}
                value |= {"language": language, "question": question}
                records.append(Record({**value, "choices": choices, "answer": choices.index(right)}))
    return write_jsonl(root, "eval/service_mc.jsonl", records)
