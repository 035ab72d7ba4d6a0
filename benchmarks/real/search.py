"""A real search for the mixture of three public sets, and the same search where answers are shuffled between rows.

    python benchmarks/real/search.py --data DATA

The sets (CrossWOZ as the domain, Alpaca in Chinese, GSM8K) are cleaned and halved: a small model is pretrained on one
half, from random weights, and the mixture of the other half is searched by `train grid` with that model as the proxy.
The control is the same search over the second half with all answers dealt anew among the rows of their set: what is
left there is style, not knowledge of the answer. Prints what each search says, and each set's loss under the untrained
proxy beside that of a unigram model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from control import Row, shuffle_answers, training_rows, write_sources
from fill import ROOT, filled, write

BIN = Path(sys.executable).parent
SETS = ("crosswoz", "alpaca_zh", "gsm8k")


def main() -> None:
    """Makes the halves, the proxy and both searches; what is finished is not done again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data files")
    parser.add_argument("--work", type=Path, default=Path("out/real-search"), help="folder of everything made")
    parser.add_argument("--steps", type=int, default=400, help="steps of pretraining, of 4,096 tokens each")
    parser.add_argument("--trials", type=int, default=10, help="mixtures the strategy may ask for")
    parser.add_argument(
        "--budget", type=int, default=40_000, help="trained tokens of a mixture: enough for all its steps"
    )
    parser.add_argument("--validation", type=int, default=32, help="validation rows for each set")
    args = parser.parse_args()
    work = args.work.resolve()
    first, second = halves(args.data, work / "all")
    model = pretrained(first, args, work / "pretrain")
    searched = {"real": second, "shuffled": {name: shuffle_answers(rows) for name, rows in second.items()}}
    for name, rows in searched.items():
        print(f"\n## {name}\n", flush=True)
        folder = work / name
        recipe = write(_recipe(args, folder, rows), folder)
        run("train", "grid", _search(args, recipe, model, folder))
        print(_against_unigram(folder))


def halves(data: Path, folder: Path) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """Cleans the sets and returns their rows in two halves, every other row each."""
    recipe = filled(data, folder)
    recipe["sources"] = [source for source in recipe["sources"] if source["name"] in SETS]
    recipe |= {"split": {"validation": 0}, "pack": {"length": 1024}}
    recipe["stages"][-1] = {"truncate_history": {"max_source": 640, "max_target": 320}}
    path = write(recipe, folder)
    run("curate", "run", path)
    rows = training_rows(path)
    return {name: rows[name][0::2] for name in SETS}, {name: rows[name][1::2] for name in SETS}


def pretrained(rows: dict[str, list[Row]], args: argparse.Namespace, folder: Path) -> Path:
    """Trains a small model from random weights on its half of the rows; returns its folder."""
    made = folder / "out-model" / "model"
    if made.is_dir():
        return made
    config = json.loads((ROOT / "data_samples/model/config.json").read_text(encoding="utf-8"))
    shape = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 8}
    random = folder / "random"
    random.mkdir(parents=True, exist_ok=True)
    (random / "config.json").write_text(json.dumps(config | shape), encoding="utf-8")
    recipe = _recipe(args, folder, rows) | {"mix": {"temperature": {"T": 2}, "unit": "trained_tokens"}}
    run("curate", "run", write(recipe, folder))
    settings = {"max_steps": args.steps, "batch_tokens": 4096, "lr": 2e-3, "save_steps": 100}
    (folder / "train.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = ["train", "sft", "--data", folder / "out", "--model", random, "--config", folder / "train.yaml"]
    run(*command, "--out", folder / "out-model")
    return made


def _recipe(args: argparse.Namespace, folder: Path, rows: dict[str, list[Row]]) -> dict[str, Any]:
    """Returns the recipe over some rows, already cleaned."""
    recipe = filled(args.data, folder)
    paths = write_sources(rows, folder / "rows")
    named = {source["name"]: source for source in recipe["sources"]}
    recipe["sources"] = [{**named[name], "path": str(paths[name])} for name in SETS]
    recipe |= {"stages": ["exact_dedup"], "split": {"validation": args.validation}, "pack": {"length": 1024}}
    return {key: value for key, value in recipe.items() if key != "mix"}


def _search(args: argparse.Namespace, recipe: Path, model: Path, folder: Path) -> Path:
    """Writes the search's file and returns its path."""
    search = {
        "recipe": str(recipe),
        "output": str(folder / "grid"),
        "space": {"reading": "share", "levels": ["1", "1/2", "1/4", "1/8", "1/16"]},
        "strategy": {"name": "adaptive", "trials": args.trials},
        "budget": args.budget,
        "train": {
            "model": str(model),
            "batch_tokens": 2048,
            "lr": 1.5e-4,
            "schedule": "wsd",
            "decay": 0.3,
            "max_steps": 24,
        },
        "answers": {"rows": 2, "tokens": 32},
    }
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(search, sort_keys=False), encoding="utf-8")
    return path


def _against_unigram(folder: Path) -> str:
    """Says what a unigram model of the training tokens loses on each set's validation rows, in nats per token."""
    counts = np.bincount(_trained(folder / "out" / "train"), minlength=8192) + 1.0
    loss = -np.log(counts / counts.sum())
    sets = sorted(path for path in (folder / "out" / "validation").iterdir() if path.is_dir())
    return "\n".join(f"unigram loss of {path.name}: {loss[_trained(path)].mean():.4f}" for path in sets)


def _trained(folder: Path) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Returns the trained labels of a folder of shards."""
    found = []
    for file in sorted(folder.glob("data-*.arrow")):
        with pa.memory_map(str(file)) as mapped, pa.ipc.open_stream(mapped) as reader:
            found += [batch.column("labels").values.to_numpy(zero_copy_only=False) for batch in reader]
    labels = np.concatenate(found)
    return labels[labels >= 0]


def run(program: str, *arguments: str | Path) -> None:
    """Runs one of our commands; stops when it fails."""
    subprocess.run([BIN / program, *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
