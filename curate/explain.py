"""Explain: one row's whole story, replayed from the store: where it came from, what each step did, where it ended."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import polars as pl

from curate.arrow import column_of
from curate.errors import CurateError
from curate.places import place
from curate.plan import Plan, PlannedStep
from curate.records import records
from curate.releasing import open_pool
from curate.rows import turns
from curate.run import ingested_view
from curate.shards.ids import ids_from_hex
from curate.stage import Survey
from curate.steps.pack import packed_rows
from curate.steps.split import validation_rows
from curate.store import RowsView, read_frame
from curate.store.view import apply_stored

_ID = re.compile(r"^[0-9a-f]{6,32}$")


@dataclass
class Story:
    """What happened to one row: ``lines`` in order, as plain text."""

    id: str
    origin: str
    before: tuple[str, ...]
    lines: list[str] = field(default_factory=list)


def explain(plan: Plan, wanted: str, limit: int = 3) -> list[Story]:
    """Returns the stories of the row with this id (or beginning of one), or of rows that hold this text.

    Raises:
        CurateError: when the recipe has not been run, or nothing matches.
    """
    unfinished = [p.step.name for p in plan.of("ingest", "rows", "select", "tokenize") if not p.cached]
    if unfinished:
        raise CurateError(f"explain replays a finished run, and {unfinished[0]!r} has not run: `curate run` first")
    view = ingested_view(plan)
    root = _root(plan, view, wanted) if _ID.match(wanted) else wanted
    found = list(_find(view, root, limit))
    if not found:
        raise CurateError(
            f"no row has the id or holds the text {wanted!r}; the rows of a run are in its ledger/ and shards"
        )
    return [_story(plan, view, part, row) for part, row in found]


def _find(view: RowsView, wanted: str, limit: int) -> Iterator[tuple[int, int]]:
    """Yields (part, row) of rows by id prefix or by text."""
    left = limit
    for part in range(len(view)):
        rows = view.read(part)
        hits = rows.with_row_index("at").filter(pl.col("id").str.starts_with(wanted))["at"].to_list()
        if not hits:
            held = turns(rows).filter(pl.col("text").str.contains(wanted, literal=True))["row"]
            hits = held.unique(maintain_order=True).to_list()
        for row in hits[:left]:
            yield part, row
        left -= len(hits[:left])
        if not left:
            return


def _root(plan: Plan, view: RowsView, wanted: str) -> str:
    """Follows a child's id (given by an expansion) back to the row that was read."""
    for planned in reversed(plan.of("rows")):
        for part in range(len(view)):
            ledger = read_frame(planned.artifact.part(part, "ledger"))
            born = ledger.filter((pl.col("action") == "born") & pl.col("id").str.starts_with(wanted))
            if born.height:
                wanted = str(born["other_id"][0])
    return wanted


def _story(plan: Plan, view: RowsView, part: int, row: int) -> Story:
    rows = view.read(part)
    first = rows[row]
    story = Story(first["id"][0], _origin(plan, view, part, row), tuple(_lines_of(first)))
    living = first
    position = [row]
    for planned in plan.of("rows", "select", "tokenize"):
        ledger = read_frame(planned.artifact.part(part, "ledger"))
        mine = ledger.filter(pl.col("row").is_in(position))
        if planned.kind != "tokenize" and not planned.aside:
            rows = apply_stored(rows, planned.artifact.folder, part)
        family = [*living["id"], *mine.filter(pl.col("action") == "born")["id"]]
        after = rows.with_row_index("at").filter(pl.col("id").is_in(family))
        gone = mine.filter(pl.col("action").is_in(["drop", "quarantine"]))["id"].to_list()
        after = after.filter(~pl.col("id").is_in(gone))
        _tell(story, planned, mine, living, after)
        if isinstance(planned.stage, Survey):
            matches = read_frame(planned.artifact.part(part, "matches"))
            found = planned.stage.told(matches.filter(pl.col("id").is_in(living["id"].implode())))
            story.lines += [line if line.startswith("    ") else f"{planned.step.name}: {line}" for line in found]
        position, living = after["at"].to_list(), after.drop("at")
        if not position:
            return story
    story.lines += _ending(plan, living)
    return story


def _tell(story: Story, planned: PlannedStep, ledger: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> None:
    for line in ledger.iter_rows(named=True):
        other = f", because of {line['other_id']}" if line["other_id"] and line["action"] != "born" else ""
        score = f" (score {line['score']:.4g})" if line["score"] is not None else ""
        who = f" {line['id']}" if line["action"] == "born" or before.height > 1 else ""
        story.lines.append(f"{planned.step.name}: {line['action']}{who}, {line['reason']}{other}{score}")
        if line["action"] == "edit":
            story.lines += _diff(before.filter(pl.col("id") == line["id"]), after.filter(pl.col("id") == line["id"]))


def _diff(before: pl.DataFrame, after: pl.DataFrame) -> Iterator[str]:
    changed = difflib.unified_diff(list(_lines_of(before)), list(_lines_of(after)), lineterm="", n=0)
    for line in changed:
        if not line.startswith(("---", "+++", "@@")):
            yield f"    {line}"


def _lines_of(row: pl.DataFrame) -> Iterator[str]:
    """Yields a row as lines of text: one for each turn, tools and other content after them."""
    for record in records(row):
        for name in ("messages", "prompt", "chosen", "rejected", "completion"):
            for message in record.get(name, []):
                prefix = message["role"] if name == "messages" else f"{name}/{message['role']}"
                rest = {k: v for k, v in message.items() if k not in ("role", "content")}
                extra = f" {orjson.dumps(rest).decode()}" if rest else ""
                for text in (message.get("content") or "").split("\n"):
                    yield f"{prefix}: {text}{extra}"
        yield from (f"text: {text}" for text in (record.get("text") or "").split("\n") if "text" in record)


def _origin(plan: Plan, view: RowsView, part: int, row: int) -> str:
    """Returns ``file:line`` as the recipe's files are named today."""
    base = view.parts[part]
    place: dict[str, Any] = read_frame(base.folder / "origin" / f"{base.name}.arrow").row(row, named=True)
    (planned,) = (p for p in plan.of("ingest") if p.artifact.folder == base.folder)
    assert planned.source is not None
    return f"{planned.source.files[place['file']].path}:{place['line']}"


def _ending(plan: Plan, living: pl.DataFrame) -> Iterator[str]:
    """Yields where the row's survivors are: held out, packed in which sequences, or left out of the mixture."""
    if plan.recipe.tokenizer is None:
        yield "in the output's rows/"
        return
    pool = open_pool(plan.of("tokenize")[0])
    wanted = ids_from_hex(column_of(living["id"].rechunk()))
    split, pack = plan.of("split")[0], plan.of("pack")[0]
    for name, key in zip(living["id"], wanted, strict=True):
        (row,) = np.flatnonzero((pool.index.ids == key).all(axis=1))
        tokens = f"{name}: {pool.n_tokens[row]:,} tokens, {pool.n_trained[row]:,} trained"
        if (validation_rows(split.artifact) == row).any():
            yield f"{tokens}; held out for validation of {pool.index.ability_names[pool.index.ability[row]]}"
            continue
        rows, bounds = packed_rows(pack.artifact)
        sequences = np.searchsorted(bounds, np.flatnonzero(rows == row), side="right") - 1
        if sequences.size:
            yield f"{tokens}; in {place(plan.recipe.output) / 'train'}, sequence {', '.join(map(str, sequences))}"
        elif pool.n_tokens[row] > plan.recipe.pack.length:
            yield f"{tokens}; in no sequence: longer than pack.length ({plan.recipe.pack.length})"
        else:
            yield f"{tokens}; left out by the mixture (mix.lock.json says how much of each group was asked)"
