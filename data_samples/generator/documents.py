"""The documents: pages of a service handbook and small articles, as jsonl and as plain text files."""

from __future__ import annotations

import random
from pathlib import Path

from .dialogue import bank, topics
from .flaws import Flaw, Note, Record, spread, write_jsonl
from .grammar import Scene, stream
from .knowledge import ask

_COUNT = 160
_FILES = 5
_WORDS = {
    "zh": {
        "title": (
            "青禾服务手册：{name}",
            "{name}常见问题",
            "新员工培训笔记：{name}",
            "{city}服务站周报：{name}",
            "案例复盘：{name}",
        ),
        "lead": (
            "本页[说明|整理了]{name}的处理办法，供[坐席|新同事]参考。",
            "{weekday}，{city}服务站[集中|]处理了{n}十起{name}，[经验|要点]如下。",
            "{name}是[来电最多|客户最关心]的问题之一，[办理时要先核实情况|接听时要先听客户说完]。",
        ),
        "case": ("[有客户|一位{city}的客户]来电说：“{problem}”", "[典型的|常见的]说法是：“{problem}”"),
        "act": ("这时应先问清：{probe}？", "坐席[首先|第一步]确认：{probe}。"),
        "rule": ("[规定|标准]是：{say}。", "[答复时|对客户]要说明：{say}。"),
        "end": (
            "[以上内容|本页]每季度更新一次。",
            "[如有疑问|遇到特殊情况]，请[联系|询问]{staff}。",
            "[真诚|耐心]比[话术|速度]更重要。",
        ),
    },
    "en": {
        "title": (
            "Greenstem handbook: {name}",
            "Frequent questions on {name}",
            "Training notes: {name}",
            "Weekly report from {city}: {name}",
        ),
        "lead": (
            "This page [explains|sums up] how we handle {name}.",
            "On {weekday} the {city} office took {n}0 calls about {name}, [and this is what we learned|see below].",
            "Few [things|topics] bring as many calls as {name}, so [listen first|check the facts first].",
        ),
        "case": ('A [caller|customer] from {city} said: "{problem}."', 'Often we hear: "{problem}."'),
        "act": ("First ask: {probe}", "The agent [begins|starts] with this: {probe}"),
        "rule": ("The rule: {say}", "[Always tell|Explain to] the customer: {say}"),
        "end": (
            "This page is [renewed|checked] every quarter.",
            "If in doubt, ask {first}.",
            "Being kind matters more than being fast.",
        ),
    },
}


def _page(rng: random.Random, language: str, name: str) -> str:
    part, words = topics(language)[name], _WORDS[language]
    scene = Scene(rng, bank(language))
    scene.bound["name"] = part["name"][0]
    joint = "" if language == "zh" else " "
    lines = [scene.pick(words["title"]), scene.pick(words["lead"])]
    for fact in rng.sample(("say1", "say2"), k=2):
        if fact not in part:
            continue
        for slot, template in (("problem", part["problem"]), ("probe", part["probe"]), ("say", part[fact])):
            scene.bound[slot] = scene.pick(template).rstrip("。，")
        told = [scene.pick(words[kind]) for kind in rng.sample(("case", "act"), k=rng.randrange(1, 3))]
        lines.append(joint.join([*told, scene.pick(words["rule"])]))
    question, answer = ask(rng, language == "zh")
    if rng.random() < 0.4:
        lines.append(joint.join(["休息时间小知识：" if language == "zh" else "Quiz of the week:", question, answer]))
    return "\n\n".join([*lines, scene.pick(words["end"])])


def page(number: int) -> str:
    """Returns one page of the handbook."""
    language = "zh" if number % 3 else "en"
    rng = stream("documents", number)
    return _page(rng, language, rng.choice(sorted(topics(language))))


def _planted(clean: list[Record]) -> list[Record]:
    text = clean[4].value["text"]
    markup = (
        "<html><body><nav>首页 | 登录 | 注册</nav>\n<p>" + page(900) + "</p><script>var a=1;</script></body></html>"
    )
    lines = "\n".join(["点击这里查看更多"] * 40)
    bad = "服务手册第一页，请妥善保管。".encode().decode("latin-1")
    russian = "Этот документ написан на русском языке и не относится к обслуживанию клиентов нашей компании. " * 3
    return [
        Record({"text": ""}, Flaw("empty_text", "length", "drop: no text", '"text": ""')),
        Record({"text": None}, Flaw("null_text", "ingest", "quarantine: the text is null", '"text": null')),
        Record({"text": "详见附件。"}, Flaw("too_short", "length", "drop: too short to learn from", "详见附件。")),
        Record({"text": markup}, Flaw("markup", "normalize", "strip the tags, or drop", "<html>")),
        Record({"text": lines}, Flaw("loop", "repetition", "drop: one line over and over", "点击这里查看更多")),
        Record({"text": bad}, Flaw("mojibake", "normalize", "mend text decoded with the wrong charset", bad[:2])),
        Record({"text": russian}, Flaw("foreign", "language", "drop: neither Chinese nor English", "Этот документ")),
        Record({"text": text}, Flaw("exact_repeat", "exact_dedup", "drop: a repeated document", text.split("\n")[0])),
        Record(
            {"text": text + "\n\n（完）"},
            Flaw("near_repeat", "minhash_dedup", "drop: but for the end a repeat", "（完）"),
        ),
        Record({"body": "?"}, Flaw("wrong_shape", "ingest", "quarantine: no column text", '"body"')),
        Record(
            None,
            Flaw("malformed_json", "ingest", "quarantine the line with its number", '{"text": "未完'),
            raw='{"text": "未完',
        ),
    ]


def write_documents(root: Path) -> list[Note]:
    """Writes documents/documents.jsonl and five plain text files, and returns the notes."""
    clean = [Record({"text": page(number)}) for number in range(_COUNT)]
    notes = write_jsonl(
        root, "documents/documents.jsonl", spread(stream("documents", "spread"), clean, _planted(clean))
    )
    for number in range(_FILES):
        text = "\n\n".join(page(1000 + 4 * number + at) for at in range(4))
        path = root / f"documents/handbook_{number + 1}.txt"
        path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return notes
