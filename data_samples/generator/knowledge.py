"""The knowledge questions (Alpaca): countries, animals and concepts, single, compared and listed, two languages."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from .alpaca_flaws import planted
from .flaws import Note, Record, spread, write_array
from .grammar import TEMPLATES, Scene, stream

_COUNT = 420
Facts = list[tuple[str, ...]]
Asked = tuple[str, str]


def _table(name: str, language: str) -> Facts:
    lines = (TEMPLATES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    rows = [tuple(line.split(" | ")) for line in lines if line and not line.startswith("#")]
    return [row[0 if language == "zh" else 1 :: 2] for row in rows]


def _country(rng: random.Random, zh: bool) -> Asked:
    rows = _table("countries", "zh" if zh else "en")
    (a, a_city, a_part, a_tongue, a_known), (b, b_city, b_part, *_) = rng.sample(rows, 2)
    say = Scene(rng, {}).say
    if zh:
        forms = (
            (f"[请问|]{a}的首都是哪里？", f"{a}的首都是{a_city}。{a}[位于|地处]{a_part}，以{a_known}闻名。"),
            (f"{a}[人|的居民]说什么语言？", f"{a}主要使用{a_tongue}。它的首都是{a_city}。"),
            (
                f"[比较一下|说说]{a}和{b}的[首都和位置|位置]。",
                f"{a}在{a_part}，首都{a_city}；{b}在{b_part}，首都{b_city}。" + _same(zh, a_part, b_part),
            ),
            (
                f"用[三句话|几句话]介绍{a}。",
                f"{a}是{a_part}的国家。首都是{a_city}，通用{a_tongue}。那里[最有名的|出名的]是{a_known}。",
            ),
            (f"{a_city}是哪个国家的首都？", f"{a_city}是{a}的首都，{a}在{a_part}。"),
        )
    else:
        forms = (
            (
                f"What is the capital of {a}?",
                f"The capital of {a} is {a_city}. It lies in {a_part} and is known for {a_known}.",
            ),
            (
                f"Which language do people speak in {a}?",
                f"In {a} people mainly speak {a_tongue}. The capital is {a_city}.",
            ),
            (
                f"[Compare|Tell me about] {a} and {b}[ by place and capital|].",
                f"{a_city} is the capital of {a} in {a_part}; {b_city} is the capital of {b} in {b_part}. "
                + _same(zh, a_part, b_part),
            ),
            (
                f"[Introduce|Describe] {a} in [three sentences|a few sentences].",
                f"You find {a} in {a_part}. Its capital is {a_city} and its language {a_tongue}. Visitors know it for {a_known}.",
            ),
            (f"{a_city} is the capital of which country?", f"It is the capital of {a}, in {a_part}."),
        )
    question, answer = rng.choice(forms)
    return say(question), say(answer)


def _same(zh: bool, one: str, other: str) -> str:
    if zh:
        return "两国在同一个大洲。" if one == other else "两国不在同一个大洲。"
    return "Both are on one continent." if one == other else "They are on different continents."


def _animal(rng: random.Random, zh: bool) -> Asked:
    rows = _table("animals", "zh" if zh else "en")
    (a, a_kind, a_food, a_home, a_trait), (b, b_kind, b_food, b_home, _) = rng.sample(rows, 2)
    family = [row[0] for row in rows if row[1] == a_kind]
    some = rng.sample(family, min(3, len(family)))
    say = Scene(rng, {}).say
    if zh:
        forms = (
            (f"{a}吃什么？住在哪里？", f"{a}是{a_kind}，[主要|]吃{a_food}，生活在{a_home}。"),
            (f"{a}属于[哪一类|什么]动物？[有什么特点|有何特别之处]？", f"{a}属于{a_kind}。它[的特点是|]{a_trait}。"),
            (
                f"{a}和{b}有什么[不同|区别]？",
                f"{a}是{a_kind}，吃{a_food}，住在{a_home}；{b}是{b_kind}，吃{b_food}，住在{b_home}。",
            ),
            (f"[举|请举]{len(some)}个{a_kind}的例子。", "、".join(some) + f"都是{a_kind}。"),
        )
    else:
        forms = (
            (
                f"What does a {a} eat, and where does it live?",
                f"A {a} is a {a_kind}. It eats {a_food} and lives in or near {a_home}.",
            ),
            (f"What kind of animal is a {a}[, and what is special about it|]?", f"A {a} is a {a_kind}. It {a_trait}."),
            (
                f"How do a {a} and a {b} differ?",
                f"A {a} is a {a_kind} that eats {a_food} at home in {a_home}. A {b} is a {b_kind} that eats {b_food}; its home is {b_home}.",
            ),
            (f"[Name|Give] {len(some)} examples of the group '{a_kind}'.", ", ".join(some).capitalize() + "."),
        )
    question, answer = rng.choice(forms)
    return say(question), say(answer)


def _concept(rng: random.Random, zh: bool) -> Asked:
    rows = _table("concepts", "zh" if zh else "en")
    (a, field, meaning, example), (b, b_field, b_meaning, _) = rng.sample(rows, 2)
    say = Scene(rng, {}).say
    if zh:
        forms = (
            (f"什么是{a}？[请|]举[一个|个]例子。", f"{a}是{field}里的概念，指{meaning}。例如：{example}。"),
            (f"[向小学生|用一句话]解释{a}。", f"简单[地|来]说，{a}就是{meaning}。"),
            (
                f"{a}和{b}[各是什么|分别是什么意思]？",
                f"1. {a}（{field}）：{meaning}。\n2. {b}（{b_field}）：{b_meaning}。",
            ),
            (f"“{example}”[体现了|说明了]什么概念？", f"这[体现|说明]了{a}：{meaning}。"),
        )
    else:
        forms = (
            (f"What is {a}? Give an example.", f"In {field}, {a} is this: {meaning}. For example, {example}."),
            (f"Explain {a} [to a child|in one sentence].", f"[Put simply|In short], {a}: {meaning}."),
            (
                f"Define {a} and {b}.",
                f"1. {a.capitalize()} ({field}): {meaning}.\n2. {b.capitalize()} ({b_field}): {b_meaning}.",
            ),
            (f"Which idea does this show: {example}?", f"It shows {a}: {meaning}."),
        )
    question, answer = rng.choice(forms)
    return say(question), say(answer)


_KINDS: tuple[Callable[[random.Random, bool], Asked], ...] = (_country, _animal, _concept)


def ask(rng: random.Random, zh: bool) -> Asked:
    """Returns a question of general knowledge and its answer."""
    return rng.choice(_KINDS)(rng, zh)


def write_knowledge(root: Path) -> list[Note]:
    """Writes general/knowledge.json and returns its notes."""
    asked: dict[str, str] = {}
    number = 0
    while len(asked) < _COUNT:
        question, answer = _KINDS[number % 3](stream("knowledge", number), number % 2 == 0)
        asked.setdefault(question, answer)
        number += 1
    clean = [Record({"instruction": question, "input": "", "output": answer}) for question, answer in asked.items()]
    rows = spread(stream("knowledge", "spread"), clean, planted("knowledge", clean))
    return write_array(root, "general/knowledge.json", rows)
