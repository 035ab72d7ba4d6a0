"""Disguises: the ways an evaluation item gets into training data, for the self-test of decontamination."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from random import Random

from opencc import OpenCC

from curate.stages.decontaminate.benchmark import Item

_HAN = re.compile(r"[\u4e00-\u9fff]")
_PUNCTUATION = {"，": ", ", "。": ". ", "？": "? ", "！": "! ", "：": ": ", "；": "; ", "、": ", "}
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
Row = tuple[str, str]
"""Role and text of the planted turn."""
Disguise = Callable[[Item, str, Random], Row | None]


def has_han(item: Item) -> bool:
    """Returns whether the item's question is in Chinese."""
    return bool(_HAN.search(item.questions[0]))


def asked(item: Item, *, choices: bool = False) -> str:
    """Returns the last question of an item, with its choices as lettered lines if asked for."""
    lines = [item.questions[-1]]
    if choices:
        lines += [f"{chr(65 + i)}. {choice}" for i, choice in enumerate(item.choices)]
    return "\n".join(lines)


def _verbatim(item: Item, host: str, random: Random) -> Row:
    return "user", asked(item, choices=True)


def _question_only(item: Item, host: str, random: Random) -> Row | None:
    return ("user", asked(item)) if item.choices else None


def _rewrapped(item: Item, host: str, random: Random) -> Row:
    width = random.randrange(18, 40)
    lines = [line for given in asked(item, choices=True).split("\n") for line in _wrapped(given, width)]
    return "user", "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    if _HAN.search(text):
        return [text[at : at + width] for at in range(0, len(text), width)]
    return textwrap.wrap(text, width, break_long_words=False) or [text]


def _in_chatter(item: Item, host: str, random: Random) -> Row:
    cut = random.randrange(len(host) + 1) if host else 0
    return "user", f"{host[:cut]} {asked(item)} {host[cut:]}"


def _in_answer(item: Item, host: str, random: Random) -> Row:
    return "assistant", f"{host[:200]}\n\n> **{asked(item, choices=True)}**"


def _width_and_punctuation(item: Item, host: str, random: Random) -> Row:
    text = asked(item, choices=True)
    if _HAN.search(text):
        for wide, half in _PUNCTUATION.items():
            text = text.replace(wide, random.choice((half, " ")))
        return "user", text.translate({code: wide for code, wide in _WIDE.items() if chr(code).isalnum()})
    return "user", text.translate({code: wide for code, wide in _WIDE.items() if random.random() < 0.7})


def _options_shuffled(item: Item, host: str, random: Random) -> Row | None:
    if len(item.choices) < 2:
        return None
    order = [*item.choices[1:], item.choices[0]]
    labels = random.choice(("({})", "{})", "{}、", "[{}]"))
    rest = " ".join(f"{labels.format(chr(97 + i))} {choice}" for i, choice in enumerate(order))
    return "user", f"{item.questions[-1]} {rest}"


def _other_case(item: Item, host: str, random: Random) -> Row | None:
    text = asked(item, choices=True)
    return None if has_han(item) else ("user", random.choice((text.upper(), text.title(), text.lower())))


def _traditional(item: Item, host: str, random: Random) -> Row | None:
    return ("user", OpenCC("s2t").convert(asked(item, choices=True))) if has_han(item) else None


def _slips(item: Item, host: str, random: Random) -> Row | None:
    """One slip for each ten words (two letters change places) or for each 30 characters (one is said twice)."""
    text = asked(item)
    places = [m.start() for m in re.finditer(r"[A-Za-z]{5,}", text)]
    if has_han(item):
        places = [m.start() for m in _HAN.finditer(text)]
    number = max(1, len(places) // 30 if has_han(item) else len(text.split()) // 10)
    if not places or len(text) < 20:
        return None
    for at in sorted(random.sample(places, min(number, len(places))), reverse=True):
        middle = text[at] * 2 if has_han(item) else text[at] + text[at + 2] + text[at + 1]
        text = text[:at] + middle + text[at + (1 if has_han(item) else 3) :]
    return "user", text


DISGUISES: dict[str, Disguise] = {
    "verbatim": _verbatim,
    "question without its choices": _question_only,
    "lines wrapped anew": _rewrapped,
    "inside chatter": _in_chatter,
    "quoted in an answer": _in_answer,
    "width and punctuation changed": _width_and_punctuation,
    "options shuffled": _options_shuffled,
    "case changed": _other_case,
    "in traditional characters": _traditional,
    "typing slips": _slips,
}
"""Name -> what it makes of an item, the text of a clean row and a seeded chance; None where it does not apply."""


def other_numbers(item: Item) -> str | None:
    """Returns the question with every digit changed, or None when it has no number."""
    text = asked(item)
    changed = re.sub(r"[0-9]", lambda found: str((int(found.group()) + 3) % 10), text)
    return changed if changed != text else None
