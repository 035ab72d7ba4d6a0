"""The compiled loops of a Select on first use: numba, which takes a while to import, comes with them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any


@cache
def loops() -> Any:
    """Returns the module of compiled loops."""
    return import_module("curate.steps.select.loops")
