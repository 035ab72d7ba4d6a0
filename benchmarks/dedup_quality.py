"""What near-deduplication promises, checked through `curate run` against an independent brute-force Jaccard.

    python benchmarks/dedup_quality.py

Rows come from `dedup_sets.py` and `dedup_templates.py`. Checked, exit code 1 when one is broken:
every dropped row has a similarity of the threshold or more with the row the ledger names, which was kept, and the
ledger's similarity is the true one; of planted pairs 0.05 above the threshold at least 98 % lose a row; of rows
that share only a template at least 99.9 % stay and their copies go; of 10,000 copies of a row one stays.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
from curate_recipe import curate_run
from dedup import write_recipe
from dedup_sets import Sets, chat, text_sets
from dedup_shingles import jaccard, shingles
from dedup_templates import tool_rows
from measure import table

THRESHOLD, MARGIN = 0.7, 0.05
LEAST_RECALL, LEAST_KEPT = 0.98, 0.999
LIKE = 1e-6


@dataclass(frozen=True)
class Outcome:
    """What a run did with rows 0, 1, 2 …: those it kept, and for each it dropped the row kept instead and the score."""

    kept: set[int]
    dropped: dict[int, tuple[int, float]]


def dedup(rows: Iterable[dict[str, Any]], folder: Path, stage: Any) -> Outcome:
    """Runs one stage over rows, and none over the same rows to learn their ids."""
    folder.mkdir(parents=True)
    path = folder / "rows.jsonl"
    with path.open("wb") as file:
        for i, row in enumerate(rows):
            file.write(orjson.dumps({"id": str(i), **row}, option=orjson.OPT_APPEND_NEWLINE))
    numbers = _ids(_run(path, folder, None))
    output = _run(path, folder, stage)
    kept = set(_ids(output).values())
    ledger = pl.concat([pl.read_parquet(file) for file in sorted((output / "ledger").glob("*.parquet"))])
    drops = ledger.filter(pl.col("action") == "drop").select("id", "other_id", "score")
    return Outcome(kept, {numbers[a]: (numbers[b], s) for a, b, s in drops.iter_rows()})


def _run(rows: Path, folder: Path, stage: Any) -> Path:
    recipe = write_recipe(rows, folder, stage)
    curate_run(recipe, workers=2)
    return folder / "out"


def _ids(output: Path) -> dict[str, int]:
    """Returns the number of each row of an output by its id."""
    found = {}
    for file in sorted((output / "rows").glob("*.jsonl")):
        for line in file.read_bytes().splitlines():
            row = orjson.loads(line)
            found[row["id"]] = int(row["meta"]["id"])
    return found


class Checks:
    """Promises and whether they were kept."""

    def __init__(self) -> None:
        self.lines: list[list[str]] = []
        self.broken = 0

    def add(self, promise: str, asked: str, got: str, kept: bool) -> None:
        """Notes one."""
        self.lines.append([promise, asked, got, "yes" if kept else "NO"])
        self.broken += not kept


def check_texts(sets: Sets, outcome: Outcome, checks: Checks) -> str:
    """Checks deletions and recall on the labelled texts; returns the recall table."""
    true = {row: _similarity(sets, row, other) for row, (other, _) in outcome.dropped.items()}
    right = sum(value >= THRESHOLD - LIKE for value in true.values())
    told = sum(abs(value - outcome.dropped[row][1]) <= LIKE for row, value in true.items())
    named = sum(other in outcome.kept for other, _ in outcome.dropped.values())
    drops = len(true)
    checks.add("dropped rows whose true similarity is 0.7 or more", "all", f"{right:,} of {drops:,}", right == drops)
    checks.add("the ledger's similarity is the true one", "all", f"{told:,} of {drops:,}", told == drops)
    checks.add("the row kept instead was kept", "all", f"{named:,} of {drops:,}", named == drops)
    apart = {row for p in sets.pairs if p.kind == "hard" and p.jaccard < THRESHOLD for row in (p.a, p.b)}
    stayed = len(apart & outcome.kept)
    checks.add("rows less than 0.7 like another stay", "all", f"{stayed:,} of {len(apart):,}", stayed == len(apart))
    pairs = pl.DataFrame(sets.pairs).with_columns(
        resolved=pl.Series([not (p.a in outcome.kept and p.b in outcome.kept) for p in sets.pairs])
    )
    sure = pairs.filter(pl.col("jaccard") >= THRESHOLD + MARGIN)
    for language, share, number in (
        sure.group_by("language").agg(pl.col("resolved").mean(), pl.len()).sort("language").iter_rows()
    ):
        promise = f"recall of pairs at {THRESHOLD + MARGIN} or more, {language}"
        checks.add(promise, f"{LEAST_RECALL}", f"{share:.4f} of {number:,}", share >= LEAST_RECALL)
    return _recall(pairs)


def _similarity(sets: Sets, a: int, b: int) -> float:
    return jaccard(shingles(sets.rows[a]), shingles(sets.rows[b]))


def _recall(pairs: pl.DataFrame) -> str:
    """Returns recall by measured similarity and language."""
    edges = [0.7, 0.72, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
    places = np.searchsorted(edges, pairs["jaccard"].to_numpy(), side="right")
    groups = pairs.with_columns(place=pl.Series(places)).filter(pl.col("place") > 0)
    lines = []
    for place in sorted(groups["place"].unique()):
        of = groups.filter(pl.col("place") == place)
        top = "" if place == len(edges) else f" to {edges[place]:.2f}"
        cells = [_cell(of.filter(pl.col("language") == language)) for language in ("zh", "en", "mixed")]
        lines.append([f"{edges[place - 1]:.2f}{top}", *cells])
    return table(["true similarity of a pair", "zh", "en", "mixed"], lines)


def _cell(pairs: pl.DataFrame) -> str:
    return f"{pairs['resolved'].sum() / pairs.height:.4f} of {pairs.height:,}" if pairs.height else ""


def check_templates(rows: list[dict[str, Any]], copies: int, outcome: Outcome, checks: Checks) -> None:
    """Checks that rows of one template stay; the last ``copies`` rows repeat the first ones."""
    different = len(rows) - copies
    stayed = sum(
        row in outcome.kept or (different + row < len(rows) and different + row in outcome.kept)
        for row in range(different)
    )
    promise = "different rows of one template stay"
    checks.add(promise, f"{LEAST_KEPT:.1%}", f"{stayed:,} of {different:,}", stayed >= LEAST_KEPT * different)
    gone = sum(row not in outcome.kept or different + row not in outcome.kept for row in range(copies))
    checks.add("exact copies among them go", "all", f"{gone:,} of {copies:,}", gone == copies)


def check_all(scale: float, copied: int, work: Path) -> tuple[Checks, str]:
    """Makes the sets, runs the stage over them and returns the checks and the recall table."""
    checks = Checks()
    sets = text_sets(scale)
    outcome = dedup(({"messages": chat(turns)} for turns in sets.rows), work / "texts", "minhash_dedup")
    recall = check_texts(sets, outcome, checks)
    tools = tool_rows(round(5_000 * scale))
    copies = len(tools) // 50
    tools += tools[:copies]
    outcome = dedup(tools, work / "tools", {"minhash_dedup": {"scaffold": "strip"}})
    check_templates(tools, copies, outcome, checks)
    one = {"messages": chat(sets.rows[0])}
    outcome = dedup([one] * copied, work / "copies", "minhash_dedup")
    checks.add("copies of one row that stay", "1", f"{len(outcome.kept)} of {copied:,}", len(outcome.kept) == 1)
    return checks, recall


def main() -> None:
    """Prints both tables; exits with 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="1: 13,000 texts and 5,000 tool calls")
    parser.add_argument("--copies", type=int, default=10_000, help="of one row")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dedup-quality-") as work:
        checks, recall = check_all(args.scale, args.copies, Path(work))
    print(table(["promise", "asked", "got", "kept"], checks.lines))
    print(f"\nPlanted pairs of which a row was dropped, by true similarity:\n\n{recall}")
    sys.exit(1 if checks.broken else 0)


if __name__ == "__main__":
    main()
