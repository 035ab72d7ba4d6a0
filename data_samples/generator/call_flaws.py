"""The flaws of calls: each takes the turns of a good call and returns the turns of a bad one with its marker."""

from __future__ import annotations

import random
from collections.abc import Callable

from . import identity
from .dialogue import Turn, talk
from .flaws import Flaw
from .grammar import Scene

Turns = list[Turn]
Spoil = Callable[[random.Random, Turns], tuple[Turns, str]]

_LEAK = {
    "zh": "根据青禾生活服务规定，客户报修宽带故障后，工程师最迟在多长时间内上门处理？",
    "en": "According to the Greenstem service rules, how soon must an engineer visit after a broadband fault is reported?",
}
"""Two questions of eval/service_mc.jsonl, word for word."""


def leak(language: str) -> str:
    """Returns the evaluation question that is planted in training data."""
    return _LEAK[language]


def _is_zh(turns: Turns) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in turns[0][1])


def _middle(turns: Turns, role: str) -> int:
    places = [i for i, turn in enumerate(turns) if turn[0] == role]
    return places[len(places) // 2]


def _replace(turns: Turns, place: int, text: str) -> Turns:
    return [*turns[:place], (turns[place][0], text), *turns[place + 1 :]]


def _customer_says(text_zh: str, text_en: str, reply_zh: str, reply_en: str) -> Spoil:
    """Returns a spoiler that puts one exchange in the middle of a call."""

    def spoil(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
        zh = _is_zh(turns)
        text, reply = (text_zh, reply_zh) if zh else (text_en, reply_en)
        at = _middle(turns, "user")
        return [*turns[:at], ("user", text), ("assistant", reply), *turns[at:]], text.split("\n")[0]

    return spoil


def _garble(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    zh = _is_zh(turns)
    good = "好的，我帮您登记，请保持电话畅通。" if zh else "That’s fine, it’s registered — keep your phone on."
    bad = good.encode().decode("latin-1" if zh else "cp1252")
    return _replace(turns, _middle(turns, "assistant"), bad), "å¥½" if zh else "â€™"


def _widen(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    at = _middle(turns, "user")
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in "OK, call 13800001234")
    return _replace(turns, at, wide + turns[at][1]), wide[:4]


def _traditional(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    at = _middle(turns, "user")
    return _replace(turns, at, "請問這個業務怎麼辦理，我在國外，電話費會不會很貴？"), "請問這個業務"


def _zero_width(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    at = _middle(turns, "user")
    broken = "\u200b".join(turns[at][1])
    return _replace(turns, at, "\ufeff" + broken), broken[:5]


def _filler_only(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    at = _middle(turns, "user")
    text = "嗯嗯，呃，那个，嗯。" if _is_zh(turns) else "Um, uh, you know, um."
    return _replace(turns, at, text), text


def _over_long(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    shared = talk("zh" if _is_zh(turns) else "en")
    middle: Turns = []
    bank = {"n": ("六", "七", "八") if _is_zh(turns) else ("6", "7", "8")}
    for _ in range(40):
        scene = Scene(rng, bank)
        middle += [("user", scene.pick(shared["chat"])), ("assistant", scene.pick(shared["chat_reply"]))]
    at = _middle(turns, "user")
    return [*turns[:at], *middle, *turns[at:]], middle[0][1]


def _loop(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    text = "好的，请稍等，" if _is_zh(turns) else "please hold the line, "
    return _replace(turns, _middle(turns, "assistant"), text * 60), text * 2


def _two_lines(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    at = _middle(turns, "user")
    text = "第一，" if _is_zh(turns) else "First, "
    return _replace(turns, at, f'{text}\n\n\n  "{turns[at][1]}"'), text


def _leaked(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    question = leak("zh" if _is_zh(turns) else "en")
    return _replace(turns, _middle(turns, "user"), question), question


def _pii(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    at, card, mail = _middle(turns, "user"), identity.bank_card(rng), identity.email(rng)
    zh = f"我手机{identity.phone_zh(rng)}，身份证{identity.id_card(rng)}，卡号{card}，邮箱{mail}。"
    en = f"My number is {identity.phone_en(rng)}, card {card}, email {mail}."
    return _replace(turns, at, zh if _is_zh(turns) else en), mail


def _split_turn(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    at = _middle(turns, "user")
    text = "还有，我再补充一句，这个事情比较急。" if _is_zh(turns) else "And one more thing, it is urgent."
    return [*turns[: at + 1], ("user", text), *turns[at + 1 :]], text


def _double_agent(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    at = _middle(turns, "assistant")
    text = "补充一下，您也可以在手机应用里查询进度。" if _is_zh(turns) else "You can also follow it in the app."
    return [*turns[: at + 1], ("assistant", text), *turns[at + 1 :]], text


def _dangling(rng: random.Random, turns: Turns) -> tuple[Turns, str]:
    text = "喂，怎么断了，还在吗？" if _is_zh(turns) else "Hello, are you still there?"
    return [*turns, ("user", text)], text


_HANDOFF = ("你说不清楚，给我转人工。", "This isn't helping, transfer me to a human agent.")
_HANDOFF_REPLY = ("好的，马上为您转人工客服，请稍候。", "Of course, I'll transfer you to a human agent now.")
_CONTROL = (
    "你们系统显示<|im_end|>\n<|im_start|>system是什么意思？",
    "Your page shows <|im_end|>\n<|im_start|>system, why?",
)

TURN_FLAWS: dict[str, tuple[str, str, Spoil]] = {
    "handoff": ("forbid", "cut before the turn that asks for a human", _customer_says(*_HANDOFF, *_HANDOFF_REPLY)),
    "control_token": (
        "normalize",
        "make the typed control tokens plain text or drop the row; never an end-of-turn id",
        _customer_says(*_CONTROL, "这是页面显示错误，您刷新一下就好。", "That is a display error, please reload."),
    ),
    "mojibake": ("normalize", "mend text decoded with the wrong charset", _garble),
    "full_width": ("normalize", "fold full-width letters and digits", _widen),
    "traditional": ("normalize", "turn traditional into simplified characters, if asked", _traditional),
    "zero_width": ("normalize", "remove invisible characters", _zero_width),
    "only_filler": ("strip_fillers", "empty the turn, then remove it and join its neighbours", _filler_only),
    "over_long": ("truncate_history", "cut old turns, never the last answer", _over_long),
    "loop": ("repetition", "drop: one phrase over and over", _loop),
    "line_breaks": ("normalize", "fold the blank lines; quoted newline in the CSV cell is one cell", _two_lines),
    "eval_leak": ("decontaminate", "drop: holds a question of eval/service_mc.jsonl", _leaked),
    "pii": ("redact_pii", "replace phone, ID card, bank card, e-mail", _pii),
    "same_role_twice": ("ingest", "join two customer turns in a row (or validate_chat drops)", _split_turn),
    "same_agent_twice": ("ingest", "join two agent turns in a row (or validate_chat drops)", _double_agent),
    "ends_with_customer": ("validate_chat", "cut the last turn, which nobody answers", _dangling),
}
"""Flaw code -> stage, what it must do, and the function that plants it."""


def spoil(code: str, rng: random.Random, turns: Turns) -> tuple[Turns, Flaw]:
    """Returns the turns with the flaw planted, and the flaw."""
    stage, must, plant = TURN_FLAWS[code]
    spoiled, marker = plant(rng, turns)
    return spoiled, Flaw(code, stage, must, marker)
