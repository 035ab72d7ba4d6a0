"""Verification: candidates of the scan that hold up when the texts themselves are looked at."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

import polars as pl
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from curate.stages.decontaminate.folding import folded, simplified
from curate.stages.decontaminate.grams import Array
from curate.stages.decontaminate.index import Index
from curate.stages.decontaminate.scan import COVERED, FIELDS, NEAR, WHOLE
from curate.stages.decontaminate.units import WEIGHT, units_of

MATCHES: dict[str, pl.DataType] = {
    "text": pl.Int64(),
    "part": pl.Int64(),
    "how": pl.String(),
    "score": pl.Float64(),
    "row_span": pl.String(),
    "item_span": pl.String(),
}
FEWEST_EMBEDDED = 5
"""Words of a question that counts inside a longer turn; a shorter one must be the turn, or come with its choices."""
_SUBSTITUTED = 13 * WEIGHT
"""Weight of a question for which one word may be another in a near match."""
_SIGNS = "\u0e00-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_APOSTROPHE = re.compile(r"(?<=\w)['’‘ʼ`](?=\w)")
_OPERATOR = r"(?:(?<=[\d)])|(?<=[\d)] )|(?<=\b[a-z])|(?<=\b[a-z] ))[-+*/×÷^=<>](?=\s*[\d(a-z])"
_DROPPED = re.compile(rf"({_OPERATOR})|(?<=\d)(\.)(?=\d)|(?<=\d),(?=\d\d\d)|[\W_]")
_SIGN_GAP = re.compile(rf"(?<=[{_SIGNS}]) | (?=[{_SIGNS}])")
_TOKEN = re.compile(rf"[{_SIGNS}]|[^\s{_SIGNS}]+")
_FIGURE = re.compile(r"\d+(?:\.\d+)*|[-+*/×÷^=<>]")
_NEGATIONS = frozenset(
    {"not", "no", "never", "except", "without", "least", "incorrect", "false", "cannot", "dont", "isnt", *"不非没无未"}
)


@lru_cache(maxsize=1 << 14)
def plain(text: str) -> str:
    """Returns a text folded like its units, words one space apart, with what decimals and sums are made of."""
    lowered = _APOSTROPHE.sub("", folded(text)).translate(_dashes_and_simplified())
    kept = _DROPPED.sub(
        lambda found: found.group(1) or found.group(2) or (" " if found.group() != "," else ""), lowered
    )
    return _SIGN_GAP.sub("", " ".join(kept.split()))


@cache
def _dashes_and_simplified() -> dict[int, str]:
    table = {ord(old): new for old, new in simplified().items()}
    return table | {ord(dash): "-" for dash in "‐‑‒–—−"}


def figures(text: str) -> list[str]:
    """Returns the numbers and operators of a plain text: two sums of other numbers are two questions."""
    return _FIGURE.findall(text)


def verified(index: Index, data: Array, offsets: Array, candidates: Array, near: float) -> pl.DataFrame:
    """Returns the candidates that are matches (schema MATCHES), sorted by text and part, the best of each kept.

    ``near`` is the least similarity (normalised indel similarity of the plain texts) of a near match.
    """
    frame = _worth_a_look(index, pl.DataFrame(candidates, schema=list(FIELDS)), near)
    checks = {COVERED: _covered, WHOLE: _whole, NEAR: _near}
    raw = data.tobytes()
    found: list[tuple[Any, ...]] = []
    for line in frame.iter_rows(named=True):
        turn = raw[offsets[line["text"]] : offsets[line["text"] + 1]] if line["kind"] == WHOLE else b""
        span = raw[line["row_start"] : line["row_end"]].decode()
        match = checks[line["kind"]](index, line, span, turn, near)
        if match is not None:
            found.append((line["text"], line["part"], *match))
    matches = pl.DataFrame(found, schema=MATCHES, orient="row")
    rank = pl.col("how").replace_strict({"whole": 0, "ngrams": 1, "near": 2}, return_dtype=pl.Int64)
    best = matches.sort("text", "part", -pl.col("score"), rank, maintain_order=True)
    return best.unique(["text", "part"], keep="first", maintain_order=True)


def _worth_a_look(index: Index, candidates: pl.DataFrame, near: float) -> pl.DataFrame:
    """Leaves out near candidates of parts whose n-grams already cover as much; adds the bounds of a part's span."""
    own = pl.Series(index.long.own)
    enough = (pl.col("kind") == COVERED) & (pl.col("value") >= near * own.gather(candidates["part"]))
    covered = candidates.filter(enough).select("text", "part", kind=pl.lit(NEAR, dtype=pl.Int64))
    left = candidates.join(covered, on=["text", "part", "kind"], how="anti", maintain_order="left")
    parts = left.filter(pl.col("kind") == COVERED)["part"].unique().sort()
    units = units_of(pl.Series([index.texts[part] for part in parts], dtype=pl.String))
    at = pl.DataFrame({"part": parts, "base": units.bounds[:-1], "origin": units.offsets[:-1]})
    placed = left.join(at, on="part", how="left", maintain_order="left").fill_null(0)
    covers = placed["kind"] == COVERED
    first = (placed["base"] + placed["part_start"]).set(~covers, 0)
    last = (placed["base"] + placed["part_end"] - 1).set(~covers, 0)
    if not units.starts.size:
        return left.with_columns(low=0, high=0)
    return left.with_columns(
        low=pl.Series(units.starts).gather(first) - placed["origin"],
        high=pl.Series(units.ends).gather(last) - placed["origin"],
    )


Match = tuple[str, float, str, str]


def _covered(index: Index, line: dict[str, int], span: str, turn: bytes, near: float) -> Match:
    own = int(index.long.own[line["part"]])
    item_span = index.texts[line["part"]].encode()[line["low"] : line["high"]].decode(errors="replace")
    return "ngrams", round(min(line["value"], own) / own, 4), span, item_span


def _whole(index: Index, line: dict[str, int], span: str, turn: bytes, near: float) -> Match | None:
    part, text = line["part"], index.texts[line["part"]]
    if figures(plain(span)) != figures(plain(text)):
        return None
    embedded = line["value"] > line["part_end"]
    weak = embedded and index.sizes.weight[part] < FEWEST_EMBEDDED * WEIGHT
    if (weak or _is_twin(index, part)) and not _has_choices(index, part, turn.decode()):
        return None
    return "whole", 1.0, span, text


def _near(index: Index, line: dict[str, int], span: str, turn: bytes, near: float) -> Match | None:
    part = line["part"]
    weight = int(index.sizes.weight[part])
    if weight < FEWEST_EMBEDDED * WEIGHT or (_is_twin(index, part) and not _has_choices(index, part, span)):
        return None
    asked, told = plain(index.texts[part]), plain(span)
    if len(told) > len(asked):
        found = fuzz.partial_ratio_alignment(asked, told, score_cutoff=90 * near)
        if found is None:
            return None
        told = _to_words(told, found.dest_start, found.dest_end)
    likeness = round(fuzz.ratio(asked, told) / 100, 4)
    if likeness < near or figures(asked) != figures(told) or not _only_slips(asked, told, weight):
        return None
    return "near", likeness, told, asked


def _to_words(text: str, start: int, end: int) -> str:
    """Returns the slice with its first and last word whole."""
    boundary = re.compile(rf"[\s{_SIGNS}]")
    while start > 0 and not boundary.match(text[start - 1]) and not boundary.match(text[start]):
        start -= 1
    while end < len(text) and not boundary.match(text[end]) and not boundary.match(text[end - 1]):
        end += 1
    return text[start:end].strip()


def _only_slips(asked: str, told: str, weight: int) -> bool:
    """Says whether two near texts differ by slips alone: no negation more or less, no word put for another.

    In a question of 13 words one word may be another, in one of 26 two, and so on.
    """
    left, right = _TOKEN.findall(asked), _TOKEN.findall(told)
    substituted = 0
    for step in Levenshtein.opcodes(left, right):
        old, new = left[step.src_start : step.src_end], right[step.dest_start : step.dest_end]
        if step.tag != "equal" and _NEGATIONS & {*old, *new}:
            return False
        if step.tag == "replace":
            substituted += sum(min(len(a), len(b)) < 3 or fuzz.ratio(a, b) < 60 for a, b in zip(old, new, strict=False))
    return substituted <= weight // _SUBSTITUTED


def _is_twin(index: Index, part: int) -> bool:
    """Says whether only the choices tell the question from another of its set; without choices the first will do."""
    return bool(index.twins[part]) and bool(index.items[index.sizes.item[part]].choices)


def _has_choices(index: Index, part: int, turn: str) -> bool:
    choices = index.items[index.sizes.item[part]].choices
    said = f" {plain(turn)} "
    return bool(choices) and all(_holds(said, plain(choice)) for choice in choices)


def _holds(said: str, choice: str) -> bool:
    edge = rf"[\s{_SIGNS}]"
    return bool(choice) and re.search(rf"(?:(?<={edge})|(?=[{_SIGNS}])){re.escape(choice)}(?={edge})", said) is not None
