"""Searches of mixtures whose best is known: how near they end, at what cost, and whether their intervals tell the truth.

    python -m benchmarks.planted --seeds 100

Nothing is trained. Three families of laws give the losses of three abilities (separable powers, the log-linear mixing law, powers
with help and harm between abilities); each seed draws a law, weights of the abilities in the objective, and the noise
of every run. The search is the real one: noise floor of three seeds, eight baselines, the strategy's rounds over the 127
mixtures of Yi's levels read as shares, the surrogates chosen by left-out mixes, draws, intervals. The last table deals the
losses of searches out at random, and searches losses that are nothing but noise: how often is a signal seen?
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from tests.train.grid.laws import planted
from tests.train.grid.simulated import SHARES, Simulated, means, outcome, shuffled_signals
from train.grid.strategies import Adaptive, Halving, Random, Sobol, Strategy, Sweep

QUARTER = len(SHARES.points()) // 4
STRATEGIES: dict[str, Strategy] = {
    "sweep": Sweep(trials=QUARTER),
    "adaptive": Adaptive(trials=20, batch=5),
    "halving": Halving(trials=27),
    "sobol": Sobol(trials=20),
    "random": Random(trials=20),
}
HEAD = ("law", "strategy", "noise", "trials", "most", "regret", "stated", "equal", "shares", "tied", "best", "curve")
MEANINGS = f"""
trials, most   runs of the strategy in full lengths, mean and largest; the full grid has {len(SHARES.points())}
regret, stated what the recommended mixture truly loses against the grid's best (relative loss), and what the search said
equal          what the equal mix loses
shares         how often the 90 % interval of an ability's share in the best mix holds it
tied           how often the true best is among the mixtures indistinguishable from the best
best, curve    how often 90 % intervals of the objective hold it, at the recommended mix and over the whole grid
"""


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--laws", nargs="+", default=["separable", "interference", "loglinear"])
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES))
    parser.add_argument("--noises", nargs="+", type=float, default=[0.01])
    parser.add_argument("--null", type=int, default=100, help="searches without signal; 0 for none")
    asked = parser.parse_args()
    start = time.process_time()
    show(HEAD)
    for law in asked.laws:
        for noise in asked.noises:
            for strategy in asked.strategies:
                show(row(law, noise, strategy, asked.seeds))
    print(MEANINGS)
    if asked.null:
        show_null(asked.null)
    print(f"{time.process_time() - start:.0f} s CPU", file=sys.stderr)


def row(law: str, noise: float, strategy: str, seeds: int) -> list[str]:
    """Runs the searches of one line."""
    found = [outcome(Simulated(planted(law, noise, seed), STRATEGIES[strategy], seed)) for seed in range(seeds)]
    mean = means(found)
    counts = [f"{mean['trials']:.1f}", f"{max(one.trials for one in found):.0f}"]
    lost = [f"{mean[name]:.4f}" for name in ("regret", "stated", "gap")]
    held = [f"{mean[name]:.3f}" for name in ("shares", "member", "loss", "curve")]
    return [law, strategy, f"{noise:g}", *counts, *lost, *held]


def show_null(seeds: int) -> None:
    """Prints how often losses without signal are taken for more."""
    shuffled = [Simulated(planted("separable", 0.01, seed), Sobol(trials=20), seed) for seed in range(seeds)]
    noise = [Simulated(planted("flat", 0.01, seed), Adaptive(trials=16, batch=5), seed) for seed in range(seeds)]
    counts = {
        "losses dealt out at random": [shuffled_signals(search) for search in shuffled],
        "adaptive search of pure noise": [outcome(search).signal for search in noise],
    }
    for name, signals in counts.items():
        said = sum(count > 0 for count in signals)
        print(f"{name:32} {sum(signals)} of {3 * seeds} abilities, {said} of {seeds} searches saw a signal")


def show(cells: Iterable[str]) -> None:
    """Prints one line of the table."""
    print(" ".join(f"{cell:>8}" if n > 1 else f"{cell:13}" for n, cell in enumerate(cells)), flush=True)


if __name__ == "__main__":
    main()
