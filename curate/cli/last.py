"""The recipe run last in a folder, so that other commands need not name it."""

from __future__ import annotations

from pathlib import Path

from curate.errors import RecipeError
from curate.files import write_bytes

_MEMO = Path(".curate/last-recipe")


def remember(recipe: Path) -> None:
    """Notes the recipe that is run."""
    write_bytes(_MEMO, str(recipe).encode())


def last_recipe() -> Path:
    """Returns the recipe run last here.

    Raises:
        RecipeError: when none was run here.
    """
    if not _MEMO.is_file():
        raise RecipeError("no recipe was run in this folder yet: name one, or `curate run RECIPE` first")
    return Path(_MEMO.read_text(encoding="utf-8"))
