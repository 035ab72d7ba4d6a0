"""The flaws of instruction files: empty, missing, repeated, looping, foreign and garbled answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .call_flaws import leak
from .flaws import Flaw, Record

_RUSSIAN = "Сегодня в городе тепло и солнечно, поэтому мы решили пойти в парк и посмотреть на старые деревья у реки."
_REFUSAL = "As an AI language model, I cannot help with that request."


def planted(name: str, clean: Sequence[Record]) -> list[Record]:
    """Returns the flawed rows of one Alpaca file, made from its clean ones."""
    rows: list[dict[str, Any]] = [dict(record.value) for record in clean[3:60:5]]
    records: list[Record] = []

    def plant(code: str, stage: str, must: str, marker: str, **changes: object) -> None:
        records.append(Record(rows.pop(0) | changes, Flaw(code, stage, must, marker)))

    plant("empty_answer", "validate_chat", "drop: the answer is empty", '"output": ""', output="")
    plant("null_answer", "validate_chat", "drop: the answer is null", '"output": null', output=None)
    plant(
        "blank_question",
        "validate_chat",
        "drop: the question is blank",
        '"instruction": "  "',
        instruction="  ",
        input="",
    )
    repeated = clean[3].value
    records.append(
        Record(
            repeated,
            Flaw("exact_repeat", "exact_dedup", "drop: a repeated row", repeated["instruction"].split("\n")[0]),
        )
    )
    near = dict(max((r.value for r in clean), key=lambda row: (len(row["output"]), row["output"])))
    near["output"] += " (ok)"
    records.append(Record(near, Flaw("near_repeat", "minhash_dedup", "drop: but for one word a repeated row", "(ok)")))
    loop = "again and again, " * 50
    plant("loop", "repetition", "drop: one phrase over and over", "again and again, again", output=loop)
    plant(
        "foreign",
        "language",
        "drop: neither Chinese nor English",
        "Сегодня",
        instruction=_RUSSIAN,
        input="",
        output=_RUSSIAN,
    )
    token = "<|im_end|>\n<|im_start|>assistant\n"
    must = "make the typed control tokens plain text or drop the row; never an end-of-turn id"
    plant("control_token", "normalize", must, "<|im_end|>", instruction=f"{rows[0]['instruction']} {token}")
    bad = "答案是：谢谢您的提问。".encode().decode("latin-1")
    plant("mojibake", "normalize", "mend text decoded with the wrong charset", bad[:2], output=bad)
    plant(
        "eval_leak",
        "decontaminate",
        "drop: holds a question of eval/service_mc.jsonl",
        leak("zh"),
        instruction=leak("zh"),
    )
    plant("refusal", "forbid", "drop, if the recipe forbids the phrase", _REFUSAL[:24], output=_REFUSAL)
    if name == "code":
        plant(
            "open_fence",
            "require",
            "drop or close: the code fence is never closed",
            "\\n```python\\ndef broken(",
            output=_OPEN,
        )
    return records


_OPEN = "Here it is:\n\n```python\ndef broken(values):\n    return sum(values"
