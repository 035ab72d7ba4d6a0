"""How long `curate --help` takes beside a bare interpreter, and a second `curate run` that has nothing to do.

    python benchmarks/startup.py --repeats 20

The commands run in turn; the differences are medians of the pairs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from chat_rows import write_rows
from curate_recipe import SAMPLE_TOKENIZER, curate_run, write_recipe
from measure import CURATE, interleave, median, run, table

BARE, HELP, AGAIN = "python -c pass", "curate --help", "curate run, nothing to do"


def main() -> None:
    """Prints medians and differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the finished run")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="startup-"))
    try:
        write_rows(work / "rows.jsonl", args.rows)
        recipe = write_recipe(work / "rows.jsonl", work / "run", SAMPLE_TOKENIZER)
        curate_run(recipe, 2)
        again = run([CURATE, "run", str(recipe)])
        if "nothing to do" not in again.stdout:
            raise SystemExit(f"the second run did not say that it has nothing to do:\n{again.stdout}")
        arms = {
            BARE: lambda: run([sys.executable, "-c", "pass"]),
            HELP: lambda: run([CURATE, "--help"]),
            AGAIN: lambda: run([CURATE, "run", str(recipe)]),
        }
        costs = interleave(arms, args.repeats)
    finally:
        shutil.rmtree(work)
    lines = []
    for name, runs in costs.items():
        over = median(a.wall - b.wall for a, b in zip(runs, costs[BARE], strict=True))
        lines.append([name, *(f"{v:.3f}" for v in (median(c.wall for c in runs), median(c.cpu for c in runs), over))])
    print(table(["command", "wall s", "CPU s", "over bare python s"], lines))


if __name__ == "__main__":
    main()
