"""Peak memory of `curate run` at two sizes, and of reading a small and a very large JSONL file.

    python benchmarks/memory.py --rows 100000 1000000
    python benchmarks/memory.py --stream-mb 50 5000

Peaks are sums over the process tree, workers included. `RSS` counts pages of mapped store files, which are page cache
the kernel takes back at will, once for each process that maps them; `anonymous` is what the processes hold themselves.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from chat_rows import write_rows
from curate_recipe import curate_run, forget, tokenizer_folder, write_recipe
from measure import Cost, table

BLOCK_ROWS = 20_000


def main() -> None:
    """Prints peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--rows", type=int, nargs=2, default=[100_000, 1_000_000], metavar=("SMALL", "LARGE"))
    sizes.add_argument(
        "--stream-mb", type=int, nargs=2, metavar=("SMALL", "LARGE"), help="cleaned rows only, no tokens"
    )
    parser.add_argument("--tokenizer", default="sample", help="sample (8k), deepseek (128k), or a folder")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help="folder for scratch files; default: a temporary one")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="memory-", dir=args.work))
    try:
        if args.stream_mb:
            costs = {f"{size:,} MB": _stream(size, work, args.workers) for size in args.stream_mb}
        else:
            tokenizer = tokenizer_folder(args.tokenizer, work)
            costs = {f"{rows:,} rows": _rows(rows, work, tokenizer, args.workers) for rows in args.rows}
    finally:
        shutil.rmtree(work)
    print(_report(costs))


def _report(costs: dict[str, Cost]) -> str:
    small, large = costs.values()
    lines = [[n, f"{c.wall:.1f}", f"{c.cpu:.1f}", f"{c.rss:,.0f}", f"{c.anonymous:,.0f}"] for n, c in costs.items()]
    lines.append(["large / small", "", "", f"{large.rss / small.rss:.2f}", f"{large.anonymous / small.anonymous:.2f}"])
    return table(["input", "wall s", "CPU s", "peak RSS MiB", "anonymous MiB"], lines)


def _rows(rows: int, work: Path, tokenizer: Path, workers: int) -> Cost:
    """Runs raw JSONL to packed shards."""
    path = work / "rows.jsonl"
    write_rows(path, rows)
    return _run(write_recipe(path, work / "run", tokenizer), workers)


def _stream(size: int, work: Path, workers: int) -> Cost:
    """Runs raw JSONL to cleaned rows, without a tokenizer."""
    path = work / "stream.jsonl"
    _write_stream(path, size * 1_000_000)
    return _run(write_recipe(path, work / "run", tokenizer=None), workers)


def _run(recipe: Path, workers: int) -> Cost:
    cost = curate_run(recipe, workers)
    forget(recipe)
    return cost


def _write_stream(path: Path, size: int) -> None:
    """Writes rows until there are `size` bytes: one block over and over, each time with another first word."""
    write_rows(path, BLOCK_ROWS)
    block, mark = path.read_bytes(), b'"content":"'
    lines = [line.split(mark, 1) for line in block.splitlines(keepends=True)]
    with path.open("wb", buffering=1 << 20) as file:
        written = round_ = 0
        while written < size:
            for head, tail in lines:
                written += file.write(b"%b%b[%d] %b" % (head, mark, round_, tail))
                if written >= size:
                    break
            round_ += 1


if __name__ == "__main__":
    main()
