"""Fills the recipe of the real data: where the data lies, where output and store go, and sections changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def filled(data: Path, folder: Path, tokenizer: Path | None = None) -> dict[str, Any]:
    """Returns the recipe with its data folder, tokenizer, output and store filled in."""
    text = (HERE / "recipe.yaml").read_text(encoding="utf-8").replace("{data}", str(data.resolve()))
    recipe: dict[str, Any] = yaml.safe_load(text)
    recipe["tokenizer"] = str(tokenizer.resolve() if tokenizer else ROOT / recipe["tokenizer"])
    return recipe | {"output": str(folder / "out"), "store": str(folder / "store")}


def write(recipe: dict[str, Any], folder: Path) -> Path:
    """Writes a recipe into `folder` and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False, width=120), encoding="utf-8")
    return path


def change_stage(recipe: dict[str, Any], name: str, parameters: dict[str, Any]) -> None:
    """Gives a stage of the recipe other parameters."""
    names = [stage if isinstance(stage, str) else next(iter(stage)) for stage in recipe["stages"]]
    recipe["stages"][names.index(name)] = {name: parameters}
