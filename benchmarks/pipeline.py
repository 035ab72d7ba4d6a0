"""Raw chat JSONL to packed, masked sequences, beside TRL's own preparation and `datasets.map`.

    python benchmarks/pipeline.py --rows 100000 --repeats 3 --tokenizer sample

Whole processes, start-up included, run in turn: ours with the fast engine, ours with the reference tokenizer, TRL's
SFTTrainer (assistant mask, best-fit packing, 2 processes), `datasets.map(num_proc=2)` with the same mask and TRL's
packing. No deduplication and no cleaning anywhere. A ratio is the median of the rounds' own ratios. Ours also hashes
and numbers every row, writes the store, the ledger and shards with sha256; the peers write their Arrow cache.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chat_rows import write_rows
from curate_recipe import curate_run, forget, tokenizer_folder, totals, write_recipe
from measure import Cost, cost_rows, interleave, ratio, run, table

PEERS = Path(__file__).parent / "peers"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error"}
FAST, REFERENCE, TRL, DATASETS = "curate run", "curate run, reference tokenizer", "TRL SFTTrainer", "datasets.map"
Counts = dict[str, int]


def ours(recipe: Path, seen: dict[str, Counts], name: str, workers: int) -> Cost:
    """Runs one of our arms from nothing."""
    forget(recipe)
    cost = curate_run(recipe, workers)
    seen[name] = totals(recipe)
    forget(recipe)
    return cost


def peer(script: str, rows: Path, tokenizer: Path, length: int, seen: dict[str, Counts], name: str, work: Path) -> Cost:
    """Runs a peer from nothing: its cache is a fresh folder."""
    cache = Path(tempfile.mkdtemp(dir=work))
    command = [sys.executable, str(PEERS / script), str(rows), "--tokenizer", str(tokenizer)]
    cost = run([*command, "--length", str(length), "--cache", str(cache)], OFFLINE | {"HF_HOME": str(cache)})
    seen[name] = json.loads(cost.stdout.strip().splitlines()[-1])
    shutil.rmtree(cache)
    return cost


def main() -> None:
    """Prints costs, ratios and whether the arms made the same tokens."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tokenizer", default="sample", help="sample (8k), deepseek (128k), or a folder")
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--arms", nargs="+", choices=["fast", "reference", "trl", "datasets"])
    parser.add_argument("--work", type=Path, help="folder for scratch files; default: a temporary one")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="pipeline-", dir=args.work))
    try:
        _compare(args, work)
    finally:
        shutil.rmtree(work)


def _compare(args: argparse.Namespace, work: Path) -> None:
    rows, few = work / "rows.jsonl", work / "few.jsonl"
    write_rows(rows, args.rows)
    write_rows(few, 500)
    tokenizer = tokenizer_folder(args.tokenizer, work)
    warm = write_recipe(few, work / "warm", tokenizer, args.length)
    first = curate_run(warm, args.workers)
    seen: dict[str, Counts] = {}
    arms = _arms(args, work, rows, tokenizer, seen)
    print(f"{args.rows:,} rows, {rows.stat().st_size / 1e6:.0f} MB, tokenizer {args.tokenizer}, length {args.length}")
    print(f"first run of 500 rows, compiled loops included: {first.wall:.1f} s\n")
    costs = interleave(arms, args.repeats)
    print(table(["arm", "wall s", "CPU s", "peak RSS MiB", "anonymous MiB"], cost_rows(costs)))
    mine = [name for name in (FAST, REFERENCE) if name in costs]
    if peers := [name for name in (TRL, DATASETS) if name in costs]:
        print()
        print(table(["wall, peer / ours", *mine], [[p, *(ratio(costs[p], costs[m]) for m in mine)] for p in peers]))
    print("\n" + agreement(seen))


def _arms(
    args: argparse.Namespace, work: Path, rows: Path, tokenizer: Path, seen: dict[str, Counts]
) -> dict[str, Callable[[], Cost]]:
    recipes = {
        FAST: write_recipe(rows, work / "fast", tokenizer, args.length),
        REFERENCE: write_recipe(rows, work / "reference", tokenizer, args.length, engine="reference"),
    }
    scripts = {TRL: "trl_prepare.py", DATASETS: "datasets_map.py"}
    arms: dict[str, Callable[[], Cost]] = {
        name: partial(ours, recipe, seen, name, args.workers) for name, recipe in recipes.items()
    }
    arms |= {
        name: partial(peer, file, rows, tokenizer, args.length, seen, name, work) for name, file in scripts.items()
    }
    short = {"fast": FAST, "reference": REFERENCE, "trl": TRL, "datasets": DATASETS}
    return {name: arms[name] for name in (short[key] for key in args.arms or short)}


def agreement(seen: dict[str, Counts]) -> str:
    """Returns the token totals of all arms, and whether they are the same."""
    lines = [[name, *(f"{found[key]:,}" for key in ("sequences", "tokens", "trained"))] for name, found in seen.items()]
    same = len({(found["tokens"], found["trained"]) for found in seen.values()}) == 1
    verdict = "all arms made the same tokens" if same else "THE ARMS DIFFER in tokens or trained tokens"
    inner = [f"{name} {found['seconds']:.1f} s" for name, found in seen.items() if "seconds" in found]
    started = f"\nwithout start-up, last round: {', '.join(inner)}" if inner else ""
    return f"{table(['arm', 'sequences', 'tokens', 'trained tokens'], lines)}\n\n{verdict}{started}"


if __name__ == "__main__":
    main()
