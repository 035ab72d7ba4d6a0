"""Recipes: what a user writes, validated, every error with its line."""

from curate.recipe.load import build_stage, load_mix, load_recipe, load_settings
from curate.recipe.model import Recipe

__all__ = ["Recipe", "build_stage", "load_mix", "load_recipe", "load_settings"]
