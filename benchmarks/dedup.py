"""Near-deduplication from JSONL to deduplicated JSONL, beside five other tools; exact and semantic deduplication too.

    python benchmarks/dedup.py --rows 100000 --peers-venv PEERS
    python benchmarks/dedup.py --rows 100000 --job exact
    python benchmarks/dedup.py --rows 20000 --job semantic --model MODEL --peers-venv PEERS

Whole processes, start-up included, on one generated corpus (`dedup_corpus.py`), in turn. Ours is `curate run` with the
ledger, ids and a resumable store, every deletion verified. PEERS holds one virtual environment a tool, see the README;
a tool that is not there or fails is shown with the reason. Precision and recall are of the rows removed
(`dedup_score.py`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
import yaml
from curate_recipe import curate_run, forget
from dedup_corpus import text_path, write_corpus
from dedup_score import kept_rows, score
from measure import Cost, cost_rows, ratio, run, table

PEERS = Path(__file__).parent / "peers"
OURS = "curate run"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True)
class Peer:
    """One way another tool does the job: its environment (none: ours), its script, what else the script is given."""

    venv: str | None
    script: str
    options: tuple[str, ...] = ()
    text: bool = False


NEAR = {
    "rensa, as its README": Peer("rensa", "dedup_rensa.py"),
    "rensa, flat buffers": Peer("rensa", "dedup_rensa_flat.py"),
    "rensa, flat buffers, rho": Peer("rensa", "dedup_rensa_flat.py", ("--rho",)),
    "datasketch": Peer("datasketch", "dedup_datasketch.py"),
    "text-dedup": Peer("textdedup", "dedup_text_dedup.py", text=True),
    "datatrove": Peer("datatrove", "dedup_datatrove.py", text=True),
    "data-juicer": Peer("datajuicer", "dedup_data_juicer.py", text=True),
}
EXACT = {
    "polars unique": Peer(None, "dedup_polars.py"),
    "polars unique, streaming": Peer(None, "dedup_polars.py", ("--streaming",)),
    "data-juicer": Peer("datajuicer", "dedup_data_juicer.py", ("--exact",), text=True),
}
SEMANTIC = {"semhash": Peer("semhash", "dedup_semhash.py")}
STAGES: dict[str, Callable[[argparse.Namespace], Any]] = {
    "near": lambda args: "minhash_dedup",
    "exact": lambda args: "exact_dedup",
    "semantic": lambda args: {"semantic_dedup": semantic(args.model)},
}
JOBS = {"near": NEAR, "exact": EXACT, "semantic": SEMANTIC}


def semantic(model: Path | None) -> dict[str, Any]:
    """Returns the parameters of the semantic job: what semhash does, so numbers and negation keep nothing apart."""
    alike = {"threshold": 0.9, "floor": 0.9, "same_numbers": False, "same_negation": False}
    return {"model": str(model.resolve()), **alike} if model else alike


@dataclass
class Bench:
    """The corpus, and what every arm kept of it."""

    args: argparse.Namespace
    work: Path
    rows: Path
    labels: pl.DataFrame
    kept: dict[str, pl.Series] = field(default_factory=dict)

    def ours(self) -> Cost:
        """Runs `curate run` from nothing to deduplicated JSON Lines."""
        recipe = write_recipe(self.rows, self.work / "ours", STAGES[self.args.job](self.args))
        forget(recipe)
        cost = curate_run(recipe, self.args.workers)
        self.kept[OURS] = kept_rows(sorted((recipe.parent / "out" / "rows").glob("*.jsonl")))
        forget(recipe)
        return cost

    def peer(self, name: str, peer: Peer) -> Cost:
        """Runs a peer from nothing, its caches in a fresh folder."""
        cache = Path(tempfile.mkdtemp(dir=self.work))
        source = text_path(self.rows) if peer.text else self.rows
        model = ("--model", str(self.args.model.resolve())) if self.args.job == "semantic" else ()
        command = [str(self._python(peer)), str(PEERS / peer.script), str(source), str(cache / "kept.jsonl")]
        places = {"HF_HOME": cache, "TMPDIR": cache, "XDG_CACHE_HOME": cache}
        try:
            cost = run([*command, *peer.options, *model], OFFLINE | {key: str(path) for key, path in places.items()})
            self.kept[name] = kept_rows([cache / "kept.jsonl"])
        finally:
            shutil.rmtree(cache, ignore_errors=True)
        return cost

    def _python(self, peer: Peer) -> Path:
        if peer.venv is None:
            return Path(sys.executable)
        if self.args.peers_venv is None:
            raise RuntimeError("not run: no --peers-venv")
        python = self.args.peers_venv / peer.venv / "bin" / "python"
        if not python.is_file():
            raise RuntimeError(f"not installed: no {peer.venv}/bin/python in --peers-venv")
        return Path(os.path.abspath(python))


def write_recipe(rows: Path, folder: Path, stage: Any) -> Path:
    """Writes a recipe of one stage, or none, that ends with cleaned rows; store and output lie beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {
        "name": "dedup",
        "sources": [{"name": "chat", "path": str(rows.resolve())}],
        "stages": [stage] if stage else [],
        "output": str(folder / "out"),
        "store": str(folder / "store"),
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def main() -> None:
    """Prints costs, ratios, quality, and who failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--job", choices=sorted(JOBS), default="near")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--peers-venv", type=Path, help="folder of the peers' virtual environments")
    parser.add_argument("--arms", nargs="+", help="names of peers, or the beginnings of their names; default: all")
    parser.add_argument(
        "--model", type=Path, help="folder of an embedding model, for --job semantic; default: ours alone, built-in"
    )
    parser.add_argument("--work", type=Path, help="folder for scratch files; default: a temporary one")
    args = parser.parse_args()
    if args.job == "semantic" and args.model is None and args.peers_venv is not None:
        parser.error("peers have no built-in model: --job semantic with --peers-venv needs --model")
    work = Path(tempfile.mkdtemp(prefix="dedup-", dir=args.work))
    try:
        _compare(args, work)
    finally:
        shutil.rmtree(work)


def _compare(args: argparse.Namespace, work: Path) -> None:
    peers = {} if args.job == "semantic" and args.model is None else JOBS[args.job]
    chosen = {n: p for n, p in peers.items() if not args.arms or n.startswith(tuple(args.arms))}
    few = work / "few.jsonl"
    write_corpus(few, 500)
    curate_run(write_recipe(few, work / "warm", STAGES[args.job](args)), args.workers)
    rows = work / "rows.jsonl"
    labels = write_corpus(rows, args.rows, text=any(peer.text for peer in chosen.values()))
    bench = Bench(args, work, rows, labels)
    print(f"{args.rows:,} rows, {rows.stat().st_size / 1e6:,.0f} MB, {labels['cluster'].n_unique():,} clusters\n")
    costs, failed = _run_all(bench, chosen)
    _report(bench, costs, failed)


def _run_all(bench: Bench, peers: dict[str, Peer]) -> tuple[dict[str, list[Cost]], dict[str, str]]:
    """Runs all arms in turn, round after round; a peer that failed once is not run again."""
    costs: dict[str, list[Cost]] = {OURS: []}
    failed: dict[str, str] = {}
    for round_ in range(bench.args.repeats):
        costs[OURS].append(bench.ours())
        for name, peer in peers.items():
            if name in failed:
                continue
            try:
                costs.setdefault(name, []).append(bench.peer(name, peer))
            except RuntimeError as error:
                failed[name] = _reason(error)
                costs.pop(name, None)
                continue
            print(f"  round {round_ + 1}: {name} {costs[name][-1].wall:.1f} s", file=sys.stderr, flush=True)
    return costs, failed


def _reason(error: RuntimeError) -> str:
    """Returns the last line of what a failed command said that is not blank."""
    return [line.strip() for line in str(error).splitlines() if line.strip()][-1][:160]


def _report(bench: Bench, costs: dict[str, list[Cost]], failed: dict[str, str]) -> None:
    sure = 0.75
    lines = []
    for line in cost_rows(costs):
        found = score(bench.labels, bench.kept[line[0]], sure)
        shares = (found.precision, found.exact, found.near, found.pairs)
        others = line[0] != OURS
        times = ratio(costs[line[0]], costs[OURS]) if others else ""
        work = f"{float(line[2]) / median(c.cpu for c in costs[OURS]):.2f}x" if others else ""
        lines.append([*line, times, work, f"{found.removed:,}", *(f"{share:.4f}" for share in shares)])
    cost = ["arm", "wall s", "CPU s", "peak RSS MiB", "anonymous MiB", "wall / ours", "CPU / ours"]
    print(table([*cost, "removed", "precision", "R exact", "R near", f"R J>={sure}"], lines))
    for name, why in failed.items():
        print(f"\n{name}: {why}")


if __name__ == "__main__":
    main()
