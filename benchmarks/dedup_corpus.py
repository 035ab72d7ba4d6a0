"""Writes seeded chat rows with planted duplicates, and beside them what was planted with its true similarity.

    python benchmarks/dedup_corpus.py rows.jsonl --rows 100000

Half Chinese, 40 % English, the rest mixed; 2 to 12 turns of 70 characters on average, about 1.3 KB a row. Of the rows 10 %
are exact copies of another, 10 % near copies (5 % of the words drawn anew), 3 % share the first half of another row's
words and nothing else, so they are not duplicates. Every word is a hash of (row, place), so any row can be made again at
any time and memory does not grow. Beside ROWS.jsonl lie ROWS.labels.parquet (row, kind, base, cluster, jaccard with the
base by `dedup_shingles.py`; kind and cluster go by what came out) and, with --text, ROWS.text.jsonl with the turns joined to one `text` for tools that cannot
read `messages`.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from dedup_shingles import jaccard, shingles
from dedup_words import chinese, english

KINDS = ("new", "exact", "near", "hard")
NEW, EXACT, NEAR, HARD = range(4)
SHARES = {EXACT: 0.10, NEAR: 0.10, HARD: 0.03}
EDITED = 0.05
DUPLICATE = 0.7
BLOCK = 10_000
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Plan:
    """For each row its kind (index into KINDS) and the row it was made from (itself when new)."""

    kind: Array
    base: Array
    seed: int

    @classmethod
    def of(cls, rows: int, seed: int) -> Plan:
        """Deals the kinds; every copy is made from some new row, before or after it."""
        rng = np.random.default_rng(seed)
        kind = np.zeros(rows, np.uint8)
        counts = [round(rows * share) for share in SHARES.values()]
        kind[: sum(counts)] = np.repeat(np.array([*SHARES], np.uint8), counts)
        rng.shuffle(kind)
        base = np.arange(rows)
        base[kind != NEW] = rng.choice(np.flatnonzero(kind == NEW), int((kind != NEW).sum()))
        return cls(kind, base, seed)


class Vocabulary:
    """All words, separators and JSON fragments as one Arrow array that rows are gathered from."""

    def __init__(self) -> None:
        zh, en = chinese(), english()
        marks = ["", "，", "。", "？", " ", ", ", ". ", "? ", "。", "."]
        self.first_en = len(zh.words)
        self.first_mark = self.first_en + len(en.words)
        self.strings = pa.array([*zh.words, *en.words, *marks], pa.string())
        self.slots = np.stack([zh.slots.astype(np.int32), en.slots.astype(np.int32) + self.first_en])
        gaps = np.array([0] * 10 + [1] * 3 + [2] * 2 + [3], np.int32)
        self.gaps = np.stack([gaps, gaps + 4]) + self.first_mark
        self.end = self.first_mark + 8


def _mix(values: Array) -> Array:
    """Returns the splitmix64 hash of each uint64."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


def _hash(seed: int, row: Array, place: Array, salt: int) -> Array:
    """Returns a uint64 for each (row, place), others for each salt."""
    key = _mix(np.uint64(seed * 1000 + salt) + (row.astype(np.uint64) << np.uint64(20)))
    return _mix(key ^ (place.astype(np.uint64) * np.uint64(0xD1342543DE82EF95)))


def _shape(seed: int, base: Array) -> tuple[Array, Array]:
    """Returns the language draw (0 to 1) of each row, and turns of each row: 2 to 12, always even."""
    zero = np.zeros(base.size, np.uint64)
    language = _hash(seed, base, zero, 1).astype(np.float64) / 2.0**64
    return language, 2 + 2 * (_hash(seed, base, zero, 2) % np.uint64(6)).astype(np.int64)


def _ranges(counts: Array) -> Array:
    """Returns 0 … count - 1 for each count, one after the other."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


@dataclass(frozen=True)
class Block:
    """Rows of generated turns: the turns of each row and the text of each turn."""

    turns: Array
    texts: pa.Array

    def row_texts(self) -> list[list[str]]:
        """Returns the turns of each row as Python strings."""
        texts, ends = self.texts.to_pylist(), np.cumsum(self.turns).tolist()
        return [texts[end - n : end] for n, end in zip(self.turns.tolist(), ends, strict=True)]


def make(plan: Plan, rows: Array, words: Vocabulary) -> Block:
    """Returns the turns of the rows with these numbers."""
    base, seed = plan.base[rows], plan.seed
    language, turns = _shape(seed, base)
    row_of_turn = np.repeat(np.arange(rows.size), turns)
    turn = _ranges(turns)
    draw = _hash(seed, base[row_of_turn], turn, 3).astype(np.float64) / 2.0**64
    characters = 20 * np.minimum(np.exp(-0.85 * np.log1p(-draw * 0.9999)), 20.0)
    per_word = np.where(language < 0.5, 2.3, np.where(language < 0.9, 8.6, 5.0))[row_of_turn]
    counts = np.maximum(4, (characters / per_word).astype(np.int64))
    turn_of_word = np.repeat(np.arange(turn.size), counts)
    row_of_word = row_of_turn[turn_of_word]
    place = turn[turn_of_word] * 1024 + _ranges(counts)
    made_of = _sources(plan, rows, row_of_word, place)
    english_ = _english(seed, base[row_of_word], place, language[row_of_word])
    ids = words.slots[english_, (_hash(seed, made_of, place, 4) & np.uint64(0xFFFF)).astype(np.int64)]
    gaps = words.gaps[english_, (_hash(seed, base[row_of_word], place, 5) & np.uint64(15)).astype(np.int64)]
    last = np.cumsum(counts) - 1
    gaps[last] = words.end + english_[last]
    flat = np.empty(2 * ids.size, np.int32)
    flat[::2], flat[1::2] = ids, gaps
    offsets = np.concatenate([[0], 2 * np.cumsum(counts)]).astype(np.int32)
    pieces = pa.ListArray.from_arrays(pa.array(offsets), words.strings.take(pa.array(flat)))
    return Block(turns, pc.binary_join(pieces, ""))


def _sources(plan: Plan, rows: Array, row_of_word: Array, place: Array) -> Array:
    """Returns for each word the row it is drawn for: the base, or the row itself where the word is new."""
    kind, base = plan.kind[rows], plan.base[rows]
    own = _hash(plan.seed, rows[row_of_word], place, 6) < np.uint64(int(EDITED * 2.0**64))
    sizes = np.bincount(row_of_word, minlength=rows.size)
    late = _ranges(sizes) >= (sizes // 2)[row_of_word]
    of = kind[row_of_word]
    new = ((of == NEAR) & own) | ((of == HARD) & late)
    return np.where(new, rows[row_of_word], base[row_of_word])


def _english(seed: int, base: Array, place: Array, language: Array) -> Array:
    """Returns 1 where a word is English: by row, in mixed rows by stretches of eight words."""
    stretch = (_hash(seed, base, place >> 3, 7) & np.uint64(1)).astype(np.int64)
    return np.where(language < 0.5, 0, np.where(language < 0.9, 1, stretch))


def json_lines(block: Block, rows: Array) -> bytes:
    """Returns the rows as {"id", "messages"} lines, user and assistant in turn; no character needs escaping."""
    turn = _ranges(block.turns)
    opening = pa.array(
        ['{"role":"user","content":"', '"},{"role":"assistant","content":"', '"},{"role":"user","content":"']
    )
    number = np.where(turn == 0, 0, np.where(turn % 2 == 1, 1, 2))
    said = pc.binary_join_element_wise(opening.take(pa.array(number)), block.texts, "")
    heads = [f'{{"id":"{row}","messages":[' for row in rows.tolist()]
    return _lines(heads, said, block.turns, "", '"}]}\n')


def text_lines(block: Block, rows: Array) -> bytes:
    """Returns the rows as {"id", "text"} lines, turns on lines of their own."""
    return _lines([f'{{"id":"{row}","text":"' for row in rows.tolist()], block.texts, block.turns, "\\n", '"}\n')


def _lines(heads: list[str], parts: pa.Array, turns: Array, between: str, tail: str) -> bytes:
    offsets = pa.array(np.concatenate([[0], np.cumsum(turns)]).astype(np.int32))
    bodies = pc.binary_join(pa.ListArray.from_arrays(offsets, parts), between)
    lines = pc.binary_join_element_wise(pa.array(heads), bodies, tail, "")
    return b"".join(lines.cast(pa.binary()).to_pylist())


def measured(plan: Plan, block: Block, rows: Array, words: Vocabulary) -> tuple[Array, Array]:
    """Returns what each row came out as, and its true Jaccard similarity with its base (1 for new rows and copies).

    An edit that changed nothing made an exact copy; half a row that is still as similar as a near copy is one.
    """
    kind, similar = plan.kind[rows].copy(), np.ones(rows.size)
    changed = np.flatnonzero((kind == NEAR) | (kind == HARD))
    mine = block.row_texts()
    bases = make(plan, plan.base[rows[changed]], words).row_texts()
    for i, base in zip(changed.tolist(), bases, strict=True):
        similar[i] = jaccard(shingles(mine[i]), shingles(base))
        if mine[i] == base:
            kind[i] = EXACT
        elif similar[i] >= DUPLICATE:
            kind[i] = NEAR
    return kind, similar


def write_corpus(path: Path, rows: int, seed: int = 11, text: bool = False) -> pl.DataFrame:
    """Writes rows, labels and optionally the flattened text; returns the labels."""
    plan, words = Plan.of(rows, seed), Vocabulary()
    kind, similar = np.empty(rows, np.uint8), np.empty(rows)
    with ExitStack() as files:
        file = files.enter_context(path.open("wb"))
        flat = files.enter_context(text_path(path).open("wb")) if text else None
        for start in range(0, rows, BLOCK):
            numbers = np.arange(start, min(start + BLOCK, rows))
            block = make(plan, numbers, words)
            file.write(json_lines(block, numbers))
            if flat:
                flat.write(text_lines(block, numbers))
            kind[numbers], similar[numbers] = measured(plan, block, numbers, words)
    labels = pl.DataFrame(
        {
            "row": np.arange(rows),
            "kind": pl.Series(KINDS, dtype=pl.String).gather(kind),
            "base": plan.base,
            "cluster": np.where(kind == HARD, np.arange(rows), plan.base),
            "jaccard": similar,
        }
    )
    labels.write_parquet(labels_path(path))
    return labels


def labels_path(path: Path) -> Path:
    """Returns where the labels of a corpus lie."""
    return path.with_suffix(".labels.parquet")


def text_path(path: Path) -> Path:
    """Returns where the flattened text of a corpus lies."""
    return path.with_suffix(".text.jsonl")


def main() -> None:
    """Writes a corpus and says what it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--text", action="store_true", help="also write the flattened text")
    args = parser.parse_args()
    labels = write_corpus(args.path, args.rows, args.seed, args.text)
    near = labels.filter(pl.col("kind") == "near")["jaccard"]
    print(f"{args.rows:,} rows, {args.path.stat().st_size / 1e6:,.0f} MB, {labels['cluster'].n_unique():,} clusters")
    print(f"near copies with J >= 0.70: {(near >= 0.70).mean():.3f}, >= 0.75: {(near >= 0.75).mean():.3f}")
    hard = labels.filter(pl.col("kind") == "hard")["jaccard"]
    print(f"hard negatives: J {hard.min():.2f} to {hard.max():.2f}")


if __name__ == "__main__":
    main()
