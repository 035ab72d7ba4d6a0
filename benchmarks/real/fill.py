"""Fills the recipe of the real data: where the data lies, where output and store go, and single values changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def fill(folder: Path, data: Path, tokenizer: Path | None = None, changes: dict[str, Any] | None = None) -> Path:
    """Writes the filled recipe into `folder` and returns it; dots in a key of `changes` reach into mappings and stages.

    A stage is reached by its name: ``stages.truncate_history`` replaces its parameters, None takes the stage out.
    """
    text = (HERE / "recipe.yaml").read_text(encoding="utf-8").replace("{data}", str(data.resolve()))
    recipe: dict[str, Any] = yaml.safe_load(text)
    recipe["tokenizer"] = str(tokenizer.resolve() if tokenizer else ROOT / recipe["tokenizer"])
    recipe |= {"output": str(folder / "out"), "store": str(folder / "store")}
    for key, value in (changes or {}).items():
        _change(recipe, key, value)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False, width=120), encoding="utf-8")
    return path


def _change(recipe: dict[str, Any], key: str, value: Any) -> None:
    section, _, name = key.partition(".")
    if section != "stages":
        recipe[section] = value if not name else {**recipe[section], name: value}
        return
    names = [stage if isinstance(stage, str) else next(iter(stage)) for stage in recipe["stages"]]
    at = names.index(name)
    recipe["stages"][at : at + 1] = [] if value is None else [{name: value}]
