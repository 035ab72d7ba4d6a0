"""What a transcriber of spoken calls leaves in the text: fillers, stutter, repeated words."""

from __future__ import annotations

import random

FILLERS_ZH = ("嗯", "呃", "那个", "就是说", "然后呢", "这个", "嗯嗯", "啊", "额", "怎么说呢")
FILLERS_EN = ("um", "uh", "you know", "like", "I mean", "er", "well", "hmm")
FILLERS_EXTRA = ("那啥", "内个", "对对对", "是吧", "呣", "哎呀", "就那什么", "sort of", "kind of", "ya know", "erm")
"""Fillers of a dialect of ours: they stand in calls/lexicon_extra.txt and in a few customer turns."""
_STUTTER = ("我", "你", "那", "就", "这", "他", "想", "要", "不")


def spoken_zh(rng: random.Random, text: str, rate: float) -> str:
    """Returns the text as a customer says it: up to three fillers or stutters, at the given rate."""
    clauses = text.split("，")
    for place, clause in enumerate(clauses):
        roll = rng.random()
        if roll < rate * 0.6:
            clauses[place] = rng.choice(FILLERS_ZH) + rng.choice(("", "，", "")) + clause
        elif roll < rate * 0.85 and clause[:1] in _STUTTER:
            clauses[place] = clause[0] * rng.randrange(1, 4) + clause
        elif roll < rate * 0.93:
            clauses[place] = rng.choice(FILLERS_EXTRA[:7]) + clause
    return "，".join(clauses)


def spoken_en(rng: random.Random, text: str, rate: float) -> str:
    """Returns the text as a customer says it: fillers between words and repeated words, at the given rate."""
    words: list[str] = []
    for word in text.split(" "):
        roll = rng.random()
        if roll < rate * 0.12:
            words.append(rng.choice(FILLERS_EN) + ("," if rng.random() < 0.7 else ""))
        elif roll < rate * 0.17 and word.isalpha():
            words.append(word)
        elif roll < rate * 0.19:
            words.append(rng.choice(FILLERS_EXTRA[7:]))
        words.append(word)
    return " ".join(words)
