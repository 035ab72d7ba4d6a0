"""Reasons: every code a row can be dropped, changed or refused for is met by some test."""

from __future__ import annotations

import ast
from pathlib import Path

from curate.chat.encode import REASONS as CHAT_REASONS
from curate.registry import BUILT_IN, stage_class
from curate.sources.reasons import REASONS as SOURCE_REASONS
from curate.steps.mix import TOO_LONG

TESTS = Path(__file__).resolve().parents[1]


def _codes() -> dict[str, str]:
    codes = {reason: name for name in BUILT_IN for reason in stage_class(name).reasons}
    codes |= dict.fromkeys(CHAT_REASONS, "tokenize") | dict.fromkeys(SOURCE_REASONS, "sources")
    return codes | {TOO_LONG: "mix"}


def _mentioned() -> set[str]:
    """Returns every string in the tests' code, and every quoted word of their golden files."""
    found: set[str] = set()
    for path in TESTS.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        found |= {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    for path in TESTS.rglob("*.jsonl"):
        found |= set(path.read_text().split('"'))
    return found


def test_every_reason_is_met_by_a_test() -> None:
    """No code is declared that no test names."""
    mentioned = _mentioned()
    assert {code: owner for code, owner in _codes().items() if code not in mentioned} == {}


def test_codes_are_plain_words() -> None:
    """A code is lower-case words joined by underscores, so that ledgers can be counted by it."""
    assert [c for c in _codes() if not c.replace("_", "").isalnum() or c != c.lower()] == []
