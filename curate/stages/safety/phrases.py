"""Terms and patterns as one regular expression of polars, and the turns of a row they count in."""

from __future__ import annotations

import re

import polars as pl

from curate.rows import turns

_LOOK_AROUND = re.compile(r"\(\?<?[=!]")
_BACK_REFERENCE = re.compile(r"\\[1-9]|\(\?P=")


def checked_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the patterns as they are.

    Raises:
        ValueError: for a pattern the engine can't take, naming it and the reason.
    """
    for pattern in patterns:
        _check(pattern)
    return patterns


def _check(pattern: str) -> None:
    if not pattern:
        raise ValueError("an empty pattern matches every turn; remove it")
    try:
        pl.Series(["a"]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        if _LOOK_AROUND.search(pattern):
            why = "look-around, (?=...) (?!...) (?<=...) (?<!...), is not supported; match the context itself instead"
        elif _BACK_REFERENCE.search(pattern):
            why = r"back-references such as \1 are not supported; write the alternatives out"
        else:
            why = next((line[7:] for line in str(error).splitlines() if line.startswith("error: ")), str(error))
        raise ValueError(f"pattern {pattern!r}: {why}") from error
    if pl.Series(["", "\U000f5eed"]).str.contains(pattern).all():
        raise ValueError(f"pattern {pattern!r} also matches nothing at all, so it matches every turn")


def checked_terms(terms: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the terms as they are.

    Raises:
        ValueError: for an empty term.
    """
    if any(not term.strip() for term in terms):
        raise ValueError("an empty term is in every turn; remove it")
    return terms


def term_pattern(term: str, *, ignore_case: bool) -> str:
    """Returns a pattern that finds the term as a plain substring, in full-width or half-width characters."""
    body = "".join(_both_widths(character) for character in term)
    return f"(?i:{body})" if ignore_case else body


def _both_widths(character: str) -> str:
    code = ord(character)
    if character in " \u3000":
        return "[ \u3000]"
    if 0x21 <= code <= 0x7E:
        return f"[{_escaped(character)}{chr(code + 0xFEE0)}]"
    if 0xFF01 <= code <= 0xFF5E:
        return f"[{_escaped(chr(code - 0xFEE0))}{character}]"
    return re.escape(character)


def _escaped(character: str) -> str:
    return character if character.isalnum() else f"\\{character}"


def any_of(terms: tuple[str, ...], patterns: tuple[str, ...], *, ignore_case: bool) -> str:
    """Returns one pattern that matches where any of the terms or patterns does."""
    return "|".join(each_of(terms, patterns, ignore_case=ignore_case))


def each_of(terms: tuple[str, ...], patterns: tuple[str, ...], *, ignore_case: bool) -> list[str]:
    """Returns a pattern for each term and each pattern."""
    flag = "(?i:" if ignore_case else "(?:"
    return [*(term_pattern(term, ignore_case=ignore_case) for term in terms), *(f"{flag}{p})" for p in patterns)]


def wanted_turns(rows: pl.DataFrame, roles: tuple[str, ...]) -> pl.DataFrame:
    """Returns the turns of the roles a model is meant to learn from or see: an answer that is rejected, or a
    completion labelled bad, does not count.
    """
    seen = turns(rows).filter(pl.col("role").is_in(list(roles)) & (pl.col("field") != "rejected"))
    bad = rows.select((pl.col("label") == False).fill_null(False)).to_series().arg_true()  # noqa: E712
    judged_bad = (pl.col("field") == "completion") & pl.col("row").is_in(bad.implode())
    return seen.filter(~judged_bad)
