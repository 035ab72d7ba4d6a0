"""What can go wrong for a user, as a small tree of exceptions.

    CurateError               a clean one-paragraph message on the command line, exit code 1
    ├── RecipeError           the recipe says something that can't be done (names the line)
    ├── SourceError           an input is missing or can't be read
    ├── StageError            a stage broke its contract or met input it can't take
    ├── StoreError            the store or the output folder is damaged or full
    ├── TokenizerError        a tokenizer or chat template can't be loaded or trusted
    └── TrainError            training would be silently wrong or can't start

Any other exception is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CurateError(Exception):
    """Says what went wrong, where, and what to do."""


class RecipeError(CurateError):
    """Says which line of a recipe can't be followed and why."""


class SourceError(CurateError):
    """Says which input is missing or unreadable."""


class StageError(CurateError):
    """Says which stage refused its input or broke its contract."""


class StoreError(CurateError):
    """Says which artifact of the store or output is damaged, or that the disk is full."""


class TokenizerError(CurateError):
    """Says why a tokenizer or chat template can't be used."""


class TrainError(CurateError):
    """Says why training can't start or would be silently wrong."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns ``; did you mean 'x'?`` for the nearest known name, or the list of known names."""
    options = sorted(known)
    near = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(options)}" if options else ""
