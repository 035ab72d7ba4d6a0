"""Writes seeded chat rows as JSONL: half Chinese, 40 % English, the rest mixed; 2 to 12 turns, about 1.3 KB a row.

Clauses are drawn word by word from lists, with order numbers, prices and dates between them, so that nearly every
clause is new to a tokenizer: a cache of whole segments or of repeated sentences gains nothing here.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import orjson
import yaml


def _words(language: str) -> dict[str, list[str]]:
    lists = yaml.safe_load(WORDS.read_text(encoding="utf-8"))[language]
    return {kind: [word.strip() for word in words.split("|")] for kind, words in lists.items()}


WORDS = Path(__file__).with_name("chat_words.yaml")
ZH, EN = _words("zh"), _words("en")
SYSTEMS = ("你是一名耐心的客服助手，回答简短准确。", "You are a careful assistant for an online shop.", None, None)
Clause = Callable[[random.Random], str]


def write_rows(path: Path, rows: int, seed: int = 7) -> None:
    """Writes the rows; a smaller count with the same seed is a prefix of a larger one."""
    with path.open("wb", buffering=1 << 20) as file:
        for row in islice(chat_rows(seed), rows):
            file.write(row)


def chat_rows(seed: int) -> Iterator[bytes]:
    """Yields rows for ever, each one line of JSON: {"messages": [{"role", "content"}, ...]}."""
    rng = random.Random(seed)
    while True:
        yield orjson.dumps({"messages": _dialogue(rng)}, option=orjson.OPT_APPEND_NEWLINE)


def _dialogue(rng: random.Random) -> list[dict[str, str]]:
    draw = rng.random()
    clause = _clause_zh if draw < 0.5 else _clause_en if draw < 0.9 else _clause_mixed
    system = rng.choice(SYSTEMS)
    messages = [{"role": "system", "content": system}] if system else []
    for _ in range(rng.randint(1, 6)):
        messages.append({"role": "user", "content": _turn(rng, clause, rng.randint(20, 90))})
        messages.append({"role": "assistant", "content": _turn(rng, clause, rng.randint(30, 240))})
    return messages


def _turn(rng: random.Random, clause: Clause, least: int) -> str:
    """Returns clauses until there are enough characters; Chinese says the same in a third of them."""
    pieces, length = [], 0
    while length < least:
        piece = clause(rng)
        pieces.append(piece)
        length += len(piece) if piece.isascii() else 2 * len(piece)
    return "".join(pieces).strip()


def _clause_zh(rng: random.Random) -> str:
    pick = rng.choice
    text = f"{pick(ZH['who'])}{pick(ZH['when'])}{pick(ZH['how'])}{pick(ZH['verb'])}{pick(ZH['what'])}"
    if rng.random() < 0.3:
        text += pick(
            (f"（编号{rng.randrange(10**7, 10**8)}）", f"，共{rng.randrange(5, 5000)}元", f"，{_date(rng)}到期")
        )
    return f"{text}，{pick(ZH['tail'])}{pick('。。。？！')}"


def _clause_en(rng: random.Random) -> str:
    pick = rng.choice
    who = pick(EN["who"])
    text = f"{who[0].upper()}{who[1:]} {pick(EN['how'])} {pick(EN['verb'])} {pick(EN['what'])} {pick(EN['when'])}"
    if rng.random() < 0.3:
        text += pick(
            (f" (no. {rng.randrange(10**7, 10**8)})", f" for ${rng.randrange(5, 5000)}.90", f" until {_date(rng)}")
        )
    return f"{text}, {pick(EN['tail'])}{pick('...?!')} "


def _clause_mixed(rng: random.Random) -> str:
    return _clause_zh(rng) if rng.random() < 0.5 else _clause_en(rng)


def _date(rng: random.Random) -> str:
    return f"20{rng.randrange(19, 27)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    write_rows(given.path, given.rows, given.seed)
