"""Golden files: what each stage makes of a few rows, pinned together with its version.

`<stage>.input.jsonl` holds rows; `<stage>.expected.jsonl` starts with the stage's version and parameters, then has
one line for each row. Run with GOLDEN=write after raising a stage's version.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curate.registry import stage_class
from curate.rows import CHAT_FIELDS, MESSAGE, ROW_SCHEMA, conform
from curate.stage import Edit, Filter, Stage

HERE = Path(__file__).parent
STAGES = sorted(path.name.removesuffix(".input.jsonl") for path in HERE.glob("*.input.jsonl"))


def _lines(path: Path) -> list[Any]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def _rows(records: list[dict[str, Any]]) -> pl.DataFrame:
    full = [{"id": f"{number:032x}", "kind": "chat", **record} for number, record in enumerate(records)]
    for record in full:
        for field in set(CHAT_FIELDS) & record.keys():
            record[field] = [{**dict.fromkeys(MESSAGE.to_schema()), **message} for message in record[field]]
    columns = {name: [record.get(name) for record in full] for name in ROW_SCHEMA}
    return conform(pl.DataFrame(columns, schema=ROW_SCHEMA))


def _compact(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in (*CHAT_FIELDS, "text") if row[name] is not None}
    for field in set(CHAT_FIELDS) & kept.keys():
        kept[field] = [{k: v for k, v in message.items() if v is not None} for message in kept[field]]
    return kept


def _outcomes(stage: Stage, rows: pl.DataFrame) -> list[dict[str, Any]]:
    outcomes: list[dict[str, Any]] = [{"outcome": "same"} for _ in range(rows.height)]
    if isinstance(stage, Filter):
        for outcome, reason in zip(outcomes, stage.judge(rows), strict=True):
            outcome.update({"outcome": "drop", "reason": reason} if reason else {})
    elif isinstance(stage, Edit):
        edited = stage.edit(rows)
        for at, reason, row in zip(edited.origin, edited.reasons, edited.rows.iter_rows(named=True), strict=True):
            outcomes[at].update({"outcome": "edit", "reason": reason, **_compact(row)})
        for at, reason, action in edited.drops.iter_rows():
            outcomes[at].update({"outcome": action, "reason": reason})
        for at, note in edited.notes.iter_rows():
            outcomes[at].setdefault("notes", []).append(note)
    return outcomes


@pytest.mark.parametrize("name", STAGES)
def test_output_changes_only_with_the_version(name: str) -> None:
    """A stage gives byte for byte what its golden file says, and the file says the stage's version."""
    expected = HERE / f"{name}.expected.jsonl"
    header, *wanted = _lines(expected)
    kind = stage_class(name)
    stage = kind.model_validate(header["params"])
    found = _outcomes(stage, _rows(_lines(HERE / f"{name}.input.jsonl")))
    if os.environ.get("GOLDEN") == "write":
        head = {"stage": name, "version": kind.version, "params": header["params"]}
        expected.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in (head, *found)))
        return
    assert kind.version == header["version"], f"{name} has a new version: look at the change and run with GOLDEN=write"
    assert found == wanted, f"{name} gives another result at the same version: raise `version`, run with GOLDEN=write"
