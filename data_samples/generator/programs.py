"""Small Python functions put together from a filter, a map and a fold, with a checked example call."""

from __future__ import annotations

import random
from dataclasses import dataclass

_FILTERS = (
    ("even", "偶数", "the even numbers", "x % 2 == 0"),
    ("odd", "奇数", "the odd numbers", "x % 2 == 1"),
    ("positive", "正数", "the positive numbers", "x > 0"),
    ("negative", "负数", "the negative numbers", "x < 0"),
    ("large", "大于 {k} 的数", "the numbers above {k}", "x > {k}"),
    ("small", "小于 {k} 的数", "the numbers below {k}", "x < {k}"),
    ("multiple", "{k} 的倍数", "the multiples of {k}", "x % {k} == 0"),
)
_MAPS = (
    ("", "", "", "x"),
    ("square", "的平方", " squared", "x * x"),
    ("double", "的两倍", " doubled", "2 * x"),
    ("abs", "的绝对值", " as absolute values", "abs(x)"),
    ("shift", "加上 {j} 后的值", " plus {j}", "x + {j}"),
    ("cube", "的立方", " cubed", "x**3"),
)
_FOLDS = (
    ("sum", "求和", "add up", "sum({items})"),
    ("list", "列成列表", "list", "[{items}]"),
    ("count", "数出个数（按值去重）", "count the distinct", "len({{{items}}})"),
    (
        "max",
        "取最大值（没有时返回 None）",
        "find the largest (None if there is none) of",
        "max(({items}), default=None)",
    ),
    (
        "min",
        "取最小值（没有时返回 None）",
        "find the smallest (None if there is none) of",
        "min(({items}), default=None)",
    ),
    ("sorted", "从小到大排序", "sort", "sorted({items})"),
)
_TEXT = (
    (
        "count_vowels",
        "数出字符串里的元音字母",
        "count the vowels of a string",
        'sum(c in "aeiou" for c in text.lower())',
    ),
    (
        "initials",
        "取出每个单词的首字母并大写",
        "join the capital initials of the words",
        '"".join(w[0].upper() for w in text.split())',
    ),
    ("reverse_words", "把句子里单词的顺序反过来", "reverse the order of the words", '" ".join(reversed(text.split()))'),
    ("longest_word", "找出最长的单词", "find the longest word", "max(text.split(), key=len)"),
    (
        "is_palindrome",
        "判断字符串是否回文",
        "tell whether a string is a palindrome",
        "text.lower() == text.lower()[::-1]",
    ),
    (
        "digits_only",
        "只保留字符串中的数字",
        "keep only the digits of a string",
        '"".join(c for c in text if c.isdigit())',
    ),
    ("title_case", "把每个单词首字母大写", "capitalise every word", '" ".join(w.capitalize() for w in text.split())'),
    (
        "letter_counts",
        "统计每个字母出现的次数",
        "count each letter",
        "{c: text.count(c) for c in sorted(set(text)) if c.isalpha()}",
    ),
    ("squeeze", "把连续空格压成一个", "squeeze runs of blanks into one", '" ".join(text.split())'),
    ("word_lengths", "返回每个单词的长度", "return the length of each word", "[len(w) for w in text.split()]"),
)
_WORDS = ("red", "level", "Green tea", "plum", "snow", "quiet", "river", "Noon", "a1b2", "maple", "sky", "x9", "bread")


@dataclass(frozen=True)
class Program:
    """One function: what it does in two languages, its source, an example call and its result as text."""

    zh: str
    en: str
    source: str
    call: str
    result: str


def _build(zh: str, en: str, name: str, parameter: str, annotation: str, body: str, argument: object) -> Program:
    source = f'def {name}({parameter}{annotation}):\n    """{en[0].upper()}{en[1:]}."""\n    return {body}'
    scope: dict[str, object] = {}
    exec(source, scope)  # the program is ours, made of the tables above
    call = f"{name}({argument!r})"
    return Program(zh, en, source, call, repr(eval(call, scope)))


def number_program(rng: random.Random) -> Program:
    """Returns a function over a list of whole numbers."""
    keep, change, fold = rng.choice(_FILTERS), rng.choice(_MAPS), rng.choice(_FOLDS)
    k, j = rng.randrange(2, 9), rng.randrange(2, 20)
    items = f"{change[3]} for x in numbers if {keep[3]}".format(k=k, j=j)
    body = fold[3].format(items=items)
    zh = f"从整数列表里取出{keep[1]}{change[1]}，然后{fold[1]}".format(k=k, j=j)
    en = f"{fold[2]} {keep[2]}{change[2]} of a list".format(k=k, j=j)
    name = "_".join(part for part in (fold[0], keep[0], change[0]) if part)
    numbers = [rng.randrange(-9, 20) for _ in range(rng.randrange(4, 8))]
    return _build(zh, en, name, "numbers", ": list[int]", body, numbers)


def text_program(rng: random.Random) -> Program:
    """Returns a function over a string."""
    name, zh, en, body = rng.choice(_TEXT)
    return _build(zh, en, name, "text", ": str", body, " ".join(rng.sample(_WORDS, rng.randrange(1, 4))))
