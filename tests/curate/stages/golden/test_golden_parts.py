"""Golden files of stages made of parts (scores and verdicts) and of stages that compare rows.

`<stage>.in.jsonl` holds rows; `<stage>.out.jsonl` starts with the stage's version and parameters, then has one line
for each row. Run with GOLDEN=write after raising a stage's version.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curate.arrow_rows import ArrowRows
from curate.registry import stage_class
from curate.stage import Composite, Filter, Score, Select, Stage
from tests.curate.selecting import select_lines

HERE = Path(__file__).parent
STAGES = sorted(path.name.removesuffix(".in.jsonl") for path in HERE.glob("*.in.jsonl"))


def _lines(path: Path) -> list[Any]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def _parted(stage: Composite, rows: pl.DataFrame) -> list[dict[str, Any]]:
    known = rows.columns
    reasons: list[list[str | None]] = []
    for part in stage.parts():
        if isinstance(part, Score):
            rows = rows.hstack(part.score(rows))
        elif isinstance(part, Filter):
            reasons.append(part.judge(rows).to_list())
    scores = rows.drop(known).to_dicts()
    first = [next((r for r in row if r), None) for row in zip(*reasons, strict=True)]
    return [{**score, "reason": reason} for score, reason in zip(scores, first, strict=True)]


def _compared(stage: Select, rows: pl.DataFrame) -> list[dict[str, Any]]:
    dropped = {line["id"]: line for line in select_lines(stage, rows).drop("row", "action").to_dicts()}
    shown = ArrowRows.of(rows)
    learned = stage.learn(stage.survey(shown)) if stage.surveys else None
    sketch = stage.sketch(shown, learned)
    keys = [f"{key:016x}" for key in sketch.keys[:, 0]] if stage.keys_per_row else []
    shown = {line["row"]: {"digest": f"{line['high']:016x}"} for line in sketch.rows.to_dicts()}
    for row, key in zip(sketch.rows["row"], keys, strict=bool(keys)):
        shown[row]["key"] = key
    return [{**shown.get(at, {}), **dropped.get(name, {"id": name})} for at, name in enumerate(rows["id"])]


def _decided(stage: Composite, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Returns the digest of what each row is compared by and its verdict, for scores with a Select behind them."""
    dropped = {line["id"]: line for line in select_lines(stage, rows).drop("row", "action").to_dicts()}
    score, find = stage.parts()[0], stage.parts()[-2]
    assert isinstance(score, Score)
    assert isinstance(find, Select)
    sketch = find.sketch(ArrowRows.of(rows.hstack(score.score(rows))), None).rows
    shown = dict(zip(sketch["row"], ({"digest": f"{high:016x}"} for high in sketch["high"]), strict=True))
    return [{**shown.get(at, {}), **dropped.get(name, {"id": name})} for at, name in enumerate(rows["id"])]


def _outcomes(stage: Stage, rows: pl.DataFrame) -> list[dict[str, Any]]:
    assert isinstance(stage, (Composite, Select))
    if isinstance(stage, Composite):
        return _decided(stage, rows) if isinstance(stage.parts()[-1], Select) else _parted(stage, rows)
    return _compared(stage, rows)


@pytest.mark.parametrize("name", STAGES)
def test_verdicts_change_only_with_the_version(name: str, make_rows: Callable[..., pl.DataFrame]) -> None:
    """A stage gives the scores and verdicts its golden file says, and the file says the stage's version."""
    expected = HERE / f"{name}.out.jsonl"
    header, *wanted = _lines(expected)
    kind = stage_class(name)
    found = _outcomes(kind.model_validate(header["params"]), make_rows(*_lines(HERE / f"{name}.in.jsonl")))
    if os.environ.get("GOLDEN") == "write":
        head = {"stage": name, "version": kind.version, "params": header["params"]}
        expected.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in (head, *found)))
        return
    assert kind.version == header["version"], f"{name} has a new version: look at the change and run with GOLDEN=write"
    assert found == wanted, f"{name} gives another result at the same version: raise `version`, run with GOLDEN=write"
