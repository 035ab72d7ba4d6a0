"""Small runs for tests: records written to a folder, a recipe over them, run in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import yaml

from curate.executors.serial import SerialExecutor
from curate.plan import Plan, make_plan
from curate.recipe import load_recipe
from curate.report import RunReport, run_report
from curate.run import run

ROOT = Path(__file__).resolve().parents[2]
TOKENIZER = str(ROOT / "data_samples/tokenizer")


def chat(question: str, answer: str, *more: str) -> dict[str, Any]:
    """Returns a record of a dialogue: the user asks, the assistant answers, in turns."""
    roles = ("user", "assistant")
    turns = [{"role": roles[i % 2], "content": text} for i, text in enumerate((question, answer, *more))]
    return {"messages": turns}


def jsonl(path: Path, *records: Any) -> Path:
    """Writes records as JSON Lines; bytes are written as they are."""
    lines = [r if isinstance(r, bytes) else orjson.dumps(r) for r in records]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


class Small:
    """A recipe over sources of records in a folder."""

    def __init__(self, folder: Path, sources: dict[str, list[Any]], **recipe: Any) -> None:
        self.folder = folder
        found = [{"name": n, "path": str(jsonl(folder / f"{n}.jsonl", *r))} for n, r in sources.items()]
        out, store = str(folder / "out"), str(folder / "store")
        self.recipe: dict[str, Any] = {
            "name": "small",
            "sources": found,
            "output": out,
            "store": store,
            "max_quarantine": 1,
            **recipe,
        }

    @property
    def out(self) -> Path:
        """The output folder."""
        return self.folder / "out"

    def write(self) -> Path:
        """Writes the recipe and returns its path."""
        path = self.folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(self.recipe, allow_unicode=True, sort_keys=False))
        return path

    def plan(self) -> Plan:
        """Returns the plan of the recipe as it is now."""
        return make_plan(load_recipe(self.write()))

    def run(self) -> RunReport:
        """Runs the recipe and returns its report."""
        plan = self.plan()
        for _ in run(plan, SerialExecutor()):
            pass
        return run_report(plan)

    def rows(self) -> list[dict[str, Any]]:
        """Returns the rows of an output without tokens."""
        files = sorted((self.out / "rows").glob("*.jsonl"))
        return [orjson.loads(line) for f in files for line in f.read_bytes().splitlines()]

    def ledger(self) -> pl.DataFrame:
        """Returns all lines of the ledger."""
        return pl.read_parquet(self.out / "ledger" / "*.parquet")
