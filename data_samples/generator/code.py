"""The coding tasks (Alpaca): Python, SQL, JavaScript and shell, answers in fenced blocks, two languages."""

from __future__ import annotations

import random
from pathlib import Path

from .alpaca_flaws import planted
from .flaws import Note, Record, spread, write_array
from .grammar import Scene, stream
from .programs import number_program, text_program

_COUNT = 420
Task = tuple[str, str, str]

_TABLES = (
    ("orders", "订单", ("amount", "city", "status", "created_at")),
    ("users", "用户", ("age", "city", "level", "joined_at")),
    ("tickets", "工单", ("priority", "agent", "status", "opened_at")),
    ("products", "商品", ("price", "brand", "stock", "listed_at")),
    ("calls", "通话", ("seconds", "agent", "topic", "started_at")),
    ("books", "图书", ("pages", "author", "shelf", "bought_at")),
)
_SHELL = (
    ("找出 {d} 下[大于|超过] {n} MB 的文件", "find the files above {n} MB under {d}", "find {d} -type f -size +{n}M"),
    ("统计 {f} 有多少行", "count the lines of {f}", "wc -l < {f}"),
    ("显示 {f} 最后 {n} 行[并持续跟踪|]", "show the last {n} lines of {f}", "tail -n {n} {f}"),
    ("在 {d} 里[递归|]搜索包含 {w} 的行", "search {d} for lines that hold {w}", "grep -rn '{w}' {d}"),
    ("把 {d} 打包压缩成 {w}.tar.gz", "pack {d} into {w}.tar.gz", "tar -czf {w}.tar.gz {d}"),
    (
        "删除 {d} 下 {n} 天前的日志",
        "delete the logs older than {n} days in {d}",
        "find {d} -name '*.log' -mtime +{n} -delete",
    ),
    ("取出 {f} 的第 {n} 列并去重", "take column {n} of {f} without repeats", "cut -d, -f{n} {f} | sort -u"),
    ("把 {f} 中的 {w} 替换成 {v}", "replace {w} by {v} in {f}", "sed -i 's/{w}/{v}/g' {f}"),
    ("按大小列出 {d} 的子目录", "list the folders of {d} by size", "du -sh {d}/* | sort -h"),
)
_SLOTS = {
    "d": ("logs", "data", "/var/tmp", "src", "backup", "reports"),
    "f": ("calls.csv", "access.log", "users.txt", "notes.md", "prices.csv"),
    "w": ("error", "timeout", "TODO", "refund", "alpha", "login"),
    "v": ("warning", "done", "beta", "signin"),
    "n": ("3", "5", "7", "10", "14", "20", "30", "100"),
}


def _fence(language: str, source: str) -> str:
    return f"```{language}\n{source}\n```"


def _python(rng: random.Random, zh: bool) -> Task:
    program = number_program(rng) if rng.random() < 0.75 else text_program(rng)
    block = _fence("python", program.source)
    if zh:
        ask = rng.choice(("写一个 Python 函数，", "用 Python 实现：", "请编写函数，", "帮我写段 Python 代码，"))
        return f"{ask}{program.zh}。", "", f"{block}\n\n例如 `{program.call}` 的结果是 `{program.result}`。"
    ask = rng.choice(("Write a Python function to", "In Python,", "Give me a function to", "Implement this in Python:"))
    return f"{ask} {program.en}.", "", f"{block}\n\nFor example, `{program.call}` gives `{program.result}`."


def _repair(rng: random.Random, zh: bool) -> Task:
    program = number_program(rng)
    bad = program.source.replace("return ", "print(", 1).replace("for x in numbers", "for i in numbers", 1)
    block = _fence("python", program.source)
    if zh:
        why = "循环变量名写错了，而且应当用 return 返回结果，括号也没有闭合。"
        return "下面的代码有错误，请修正并说明原因。", bad, f"{why}\n\n{block}"
    why = "The loop variable has the wrong name, and the result must be returned, not printed with an open bracket."
    return "Fix this code and say what was wrong.", bad, f"{why}\n\n{block}"


def _sql(rng: random.Random, zh: bool) -> Task:
    table, table_zh, (number, group, label, time) = rng.choice(_TABLES)
    k, day = rng.randrange(2, 90) * 10, f"2025-{rng.randrange(1, 13):02d}-01"
    forms = (
        (
            f"查询{table_zh}表 {table} 中 {number} 大于 {k} 的记录，按 {time} 倒序",
            f"select the rows of {table} whose {number} is above {k}, newest {time} first",
            f"SELECT *\nFROM {table}\nWHERE {number} > {k}\nORDER BY {time} DESC;",
        ),
        (
            f"按 {group} 统计 {table} 的数量，只保留多于 {k // 10} 的",
            f"count {table} by {group}, only groups above {k // 10}",
            f"SELECT {group}, COUNT(*) AS n\nFROM {table}\nGROUP BY {group}\nHAVING COUNT(*) > {k // 10};",
        ),
        (
            f"求 {day} 之后各 {group} 的平均 {number}",
            f"compute the average {number} by {group} in {table} since {day}",
            f"SELECT {group}, AVG({number}) AS mean_{number}\nFROM {table}\nWHERE {time} >= '{day}'\nGROUP BY {group};",
        ),
        (
            f"找出 {table} 里 {label} 为空的记录数",
            f"count the rows of {table} where {label} is null",
            f"SELECT COUNT(*) AS missing\nFROM {table}\nWHERE {label} IS NULL;",
        ),
    )
    ask_zh, ask_en, query = rng.choice(forms)
    block = _fence("sql", query)
    if zh:
        return f"[用|写] SQL {ask_zh}。", "", f"{block}\n\n[数据多时|如果表很大]，可以给 `{time}` 和 `{group}` 加索引。"
    return f"[Write|Give me] SQL to {ask_en}.", "", f"{block}\n\nOn a large table, index `{time}` and `{group}`."


def _shell(rng: random.Random, zh: bool) -> Task:
    scene = Scene(rng, _SLOTS)
    ask_zh, ask_en, command = rng.choice(_SHELL)
    block = _fence("bash", scene.say(command))
    if zh:
        return f"怎么用命令行{scene.say(ask_zh)}？", "", f"{block}\n\n先在[测试目录|小文件上]试一下再用。"
    return f"How do I {scene.say(ask_en)} in a shell?", "", f"{block}\n\nTry it on a [copy|small folder] first."


def _javascript(rng: random.Random, zh: bool) -> Task:
    table, table_zh, (number, group, *_) = rng.choice(_TABLES)
    k = rng.randrange(2, 60)
    forms = (
        (
            f"筛选 {number} 大于 {k} 的{table_zh}",
            f"keep the {table} whose {number} is above {k}",
            f"{table}.filter((row) => row.{number} > {k})",
        ),
        (
            f"求{table_zh}的 {number} 总和",
            f"add up the {number} of all {table}",
            f"{table}.reduce((sum, row) => sum + row.{number}, 0)",
        ),
        (
            f"取出{table_zh}里不重复的 {group}",
            f"list the distinct {group} of the {table}",
            f"[...new Set({table}.map((row) => row.{group}))]",
        ),
        (
            f"按 {number} 从大到小排序{table_zh}",
            f"sort the {table} by {number}, largest first",
            f"[...{table}].sort((a, b) => b.{number} - a.{number})",
        ),
    )
    ask_zh, ask_en, expression = rng.choice(forms)
    block = _fence("javascript", f"const result = {expression};\nconsole.log(result);")
    if zh:
        return f"用 JavaScript {ask_zh}（数组名 {table}）。", "", f"{block}\n\n原数组不会被修改。"
    return f"In JavaScript, {ask_en}.", "", f"{block}\n\nThe array itself is not changed."


def _task(number: int) -> Task:
    rng = stream("code", number)
    kind = rng.choices((_python, _repair, _sql, _shell, _javascript), weights=(50, 8, 18, 14, 10))[0]
    ask, given, answer = kind(rng, number % 2 == 0)
    return (Scene(rng, {}).say(ask), given, _tail(rng, answer)) if kind in (_sql, _shell) else (ask, given, answer)


def _tail(rng: random.Random, answer: str) -> str:
    """Takes the choices of the closing remark only: brackets in code are code."""
    block, _, remark = answer.rpartition("\n\n")
    return f"{block}\n\n{Scene(rng, {}).say(remark)}"


def write_code(root: Path) -> list[Note]:
    """Writes general/code.json and returns its notes."""
    found: dict[tuple[str, str], str] = {}
    number = 0
    while len(found) < _COUNT:
        ask, given, answer = _task(number)
        found.setdefault((ask, given), answer)
        number += 1
    clean = [Record({"instruction": ask, "input": given, "output": answer}) for (ask, given), answer in found.items()]
    return write_array(root, "general/code.json", spread(stream("code", "spread"), clean, planted("code", clean)))
