"""Near-duplicates of the real data: every dropped row with the row kept instead, for a reader to judge.

    python benchmarks/real/dedup_pairs.py --data DATA --show pairs.txt

Runs `minhash_dedup` as it comes over all files, writes the dropped pairs to DEDUP_PAIRS.csv (ids, sources, similarity) and,
with --show, a seeded sample of 100 with their texts to read. The columns verdict and why are a reader's: put into the
table by hand, kept when the script runs again. Pairs of the sample come first.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import yaml

CURATE = Path(sys.executable).with_name("curate")
TABLE = Path(__file__).with_name("DEDUP_PAIRS.csv")
SAMPLE, SEED = 100, 3
FILES: dict[str, dict[str, Any]] = {
    "crosswoz": {"path": "crosswoz_val.jsonl"},
    "alpaca_zh": {"path": "alpaca_zh_demo.json"},
    "alpaca_en": {"path": "alpaca_en_demo.json"},
    "gsm8k": {"path": "gsm8k_train.jsonl"},
    "glaive": {"path": "glaive_toolcall_en_demo.json"},
    "dpo_zh": {"path": "dpo_zh_demo.json"},
    "kto_en": {"path": "kto_en_demo.json"},
    "c4": {"path": "c4_demo.jsonl"},
    "wiki": {"path": "wiki_demo.txt", "split": "line"},
}


def run(data: Path, work: Path, stages: list[Any]) -> Path:
    """Runs a recipe of these stages over all files and returns its output."""
    sources = [{"name": name, **given, "path": str(data.resolve() / given["path"])} for name, given in FILES.items()]
    output = work / ("out" if stages else "all")
    recipe = {
        "name": "pairs",
        "sources": sources,
        "stages": stages,
        "output": str(output),
        "store": str(work / "store"),
    }
    work.mkdir(parents=True, exist_ok=True)
    path = work / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), encoding="utf-8")
    subprocess.run([CURATE, "run", path, "--quiet"], check=True, stdout=sys.stderr)
    return output


def read_rows(output: Path) -> dict[str, dict[str, Any]]:
    """Returns every row of an output by its id."""
    lines = (line for file in sorted((output / "rows").glob("*.jsonl")) for line in file.read_bytes().splitlines())
    return {row["id"]: row for row in map(orjson.loads, lines)}


def dropped_pairs(output: Path, rows: dict[str, dict[str, Any]]) -> pl.DataFrame:
    """Returns id, other_id, their sources and similarity of each dropped row, the sample first."""
    ledger = pl.concat([pl.read_parquet(file) for file in sorted((output / "ledger").glob("*.parquet"))])
    drops = ledger.filter(pl.col("action") == "drop").sort("id")
    sampled = set(random.Random(SEED).sample(drops["id"].to_list(), min(SAMPLE, drops.height)))
    return drops.select(
        pl.col("id").is_in(list(sampled)).alias("sampled"),
        "id",
        "other_id",
        source=pl.Series([rows[id_]["source"] for id_ in drops["id"]]),
        other_source=pl.Series([rows[id_]["source"] for id_ in drops["other_id"]]),
        similarity=pl.col("score").round(4),
    ).sort("sampled", "similarity", "id", descending=[True, True, False])


def with_verdicts(pairs: pl.DataFrame) -> pl.DataFrame:
    """Returns the pairs with the verdicts the table already holds for them."""
    given = pl.DataFrame(schema={"id": pl.String, "other_id": pl.String, "verdict": pl.String, "why": pl.String})
    if TABLE.is_file():
        given = pl.read_csv(TABLE, schema_overrides=given.schema).select(given.columns)
    return pairs.join(given, on=["id", "other_id"], how="left", maintain_order="left")


def show(pairs: pl.DataFrame, rows: dict[str, dict[str, Any]]) -> str:
    """Returns the sampled pairs with both texts."""
    parts = []
    for number, pair in enumerate(pairs.filter("sampled").iter_rows(named=True)):
        parts.append(f"#### {number} {pair['id'][:8]} {pair['source']} {pair['similarity']}")
        parts += [f"--- {name}\n{_text(rows[pair[key]])}" for name, key in (("dropped", "id"), ("kept", "other_id"))]
    return "\n".join(parts) + "\n"


def _text(row: dict[str, Any]) -> str:
    """Returns what of a row a reader looks at: its turns without system messages, or its text."""
    turns = [*row.get("messages", []), *row.get("prompt", []), *row.get("chosen", []), *row.get("completion", [])]
    lines = []
    for turn in turns:
        if turn["role"] != "system":
            calls = orjson.dumps(turn["tool_calls"]).decode() if "tool_calls" in turn else ""
            lines.append(f"[{turn['role']}] {turn.get('content') or ''}{calls}")
    label = [f"(label: {row['label']})"] if "label" in row else []
    return "\n".join([*lines, *label]) if lines else str(row.get("text", ""))


def main() -> None:
    """Writes the table and counts by source."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data files")
    parser.add_argument("--work", type=Path, default=Path("out/dedup-pairs"), help="folder of recipe, store and output")
    parser.add_argument("--show", type=Path, help="file for the sampled pairs with their texts")
    args = parser.parse_args()
    work = args.work.resolve()
    rows = read_rows(run(args.data, work, []))
    pairs = with_verdicts(dropped_pairs(run(args.data, work, ["minhash_dedup"]), rows))
    pairs.write_csv(TABLE)
    if args.show:
        args.show.write_text(show(pairs, rows), encoding="utf-8")
    print(f"{len(rows):,} rows, {pairs.height:,} dropped, {pairs.filter('sampled').height} sampled\n")
    print(pairs.group_by("source").len().sort("source").to_dicts())
    print(pairs.group_by("verdict").len().sort("verdict").to_dicts())


if __name__ == "__main__":
    main()
