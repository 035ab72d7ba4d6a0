"""One stage on one frame: what it proposes becomes a ledger, replaced rows or new columns, and the law is checked."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from curate.errors import StageError
from curate.ledger import Counts, count, empty, lines
from curate.rows import row_hash
from curate.stage import DROPS, Edit, Edited, Filter, RowLocal, Score, Stage, Survey, Surveyed
from curate.store import apply_delta


@dataclass(frozen=True)
class Delta:
    """What a row-local stage does to one part."""

    ledger: pl.DataFrame
    patch: pl.DataFrame | None = None
    columns: pl.DataFrame | None = None
    found: Surveyed | None = None

    def apply(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows after the stage."""
        return apply_delta(rows, self.ledger, self.patch, self.columns)


def seen_rows(stage: Stage, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Returns the rows the stage acts on, its kinds and its ``only``, and their positions (UInt32)."""
    at = (rows["kind"].is_in(list(stage.kinds)) & stage.only.choose(rows)).arg_true()
    return rows if len(at) == rows.height else rows[at], at


def propose(stage: RowLocal, rows: pl.DataFrame) -> tuple[Delta, pl.DataFrame, Counts]:
    """Returns the stage's delta for a part, the rows after it, and its counts, which obey the law.

    Raises:
        StageError: when a needed column is missing or the stage breaks its contract.
    """
    missing = [name for name in stage.needs if name not in rows.columns]
    if missing:
        raise StageError(f"stage {stage.name!r} needs the column {missing[0]!r}, which no earlier stage writes")
    seen, at = seen_rows(stage, rows)
    delta = _delta(stage, rows, seen, at)
    after = delta.apply(rows)
    counts = count(rows.height, after.height, delta.ledger)
    counts.check(f"stage {stage.name!r}")
    return delta, after, counts


def _delta(stage: RowLocal, rows: pl.DataFrame, seen: pl.DataFrame, at: pl.Series) -> Delta:
    if isinstance(stage, Score):
        return _scored(stage, rows, seen, at)
    if isinstance(stage, Filter):
        return _judged(stage, rows, seen, at)
    if isinstance(stage, Edit):
        return _edited(stage, rows, seen, at)
    raise StageError(f"stage {stage.name!r}: {type(stage).__name__} has no shape the runner knows")


def _scored(stage: Score, rows: pl.DataFrame, seen: pl.DataFrame, at: pl.Series) -> Delta:
    found = stage.survey(seen) if isinstance(stage, Survey) else None
    scores = stage.score(seen) if found is None else found.scores
    if tuple(scores.columns) != stage.writes or scores.height != seen.height:
        raise StageError(f"stage {stage.name!r} must return {seen.height} values for {stage.writes}")
    if len(at) == rows.height:
        return Delta(empty(), columns=scores, found=found)
    spread = pl.DataFrame({"row": pl.int_range(rows.height, dtype=pl.UInt32, eager=True)})
    columns = spread.join(scores.with_columns(row=at), on="row", how="left", maintain_order="left")
    return Delta(empty(), columns=columns.drop("row"), found=found)


def _judged(stage: Filter, rows: pl.DataFrame, seen: pl.DataFrame, at: pl.Series) -> Delta:
    reasons = stage.judge(seen)
    if len(reasons) != seen.height:
        raise StageError(f"stage {stage.name!r} judged {len(reasons)} of {seen.height} rows")
    if reasons.dtype not in (pl.String, pl.Null):
        raise StageError(f"stage {stage.name!r} judged with {reasons.dtype} values; a verdict is a reason or null")
    hit = reasons.is_not_null()
    _known(stage, reasons.filter(hit))
    evidence = stage.evidence(seen)
    more = {} if evidence is None else {name: evidence[name].filter(hit) for name in ("other_id", "score")}
    action = "note" if stage.only_notes else "drop"
    return Delta(lines(at.filter(hit), rows["id"], action, reasons.filter(hit), **more))


def _edited(stage: Edit, rows: pl.DataFrame, seen: pl.DataFrame, at: pl.Series) -> Delta:
    edited = stage.edit(seen)
    _check_edited(stage, edited, seen)
    _known(stage, pl.concat([edited.reasons, edited.drops["reason"], edited.notes["reason"]]))
    children = edited.origin.is_duplicated() if edited.origin.len() else pl.Series([], dtype=pl.Boolean)
    patch = _with_child_ids(stage, edited, children)
    place = at.gather(edited.origin)
    drops = edited.drops.select(DROPS.keys()).with_columns(row=at.gather(edited.drops["row"]))
    ledger = pl.concat(
        [
            lines(drops["row"], rows["id"], drops["action"], drops["reason"]),
            lines(place.filter(~children), rows["id"], "edit", edited.reasons.filter(~children)),
            _expansions(rows, place.filter(children), edited.reasons.filter(children), patch.filter(children)),
            lines(at.gather(edited.notes["row"]), rows["id"], "note", edited.notes["reason"]),
        ]
    )
    return Delta(ledger, patch=patch.insert_column(0, place.alias("row")))


def _check_edited(stage: Edit, edited: Edited, seen: pl.DataFrame) -> None:
    """Raises StageError for a proposal that can't be applied: it would lose rows, or say who they are anew."""
    origin, dropped = edited.origin, edited.drops["row"]
    faults = {
        "returned other columns than it was given": edited.rows.schema != seen.schema,
        "returned rows, origins and reasons of different numbers": len(
            {edited.rows.height, len(origin), len(edited.reasons)}
        )
        > 1,
        "named a row that it was not given": any((s >= seen.height).any() for s in (origin, dropped)),
        "returned rows out of the order of their origins": not origin.is_sorted(),
        "dropped a row twice": dropped.is_duplicated().any(),
        "both dropped and edited a row": origin.is_in(dropped.implode()).any(),
        "dropped with another action than drop or quarantine": not edited.drops["action"]
        .is_in(["drop", "quarantine"])
        .all(),
    }
    for fault, found in faults.items():
        if found:
            raise StageError(f"stage {stage.name!r} {fault}")
    if not edited.rows["id"].equals(seen["id"].gather(origin)):
        raise StageError(f"stage {stage.name!r} changed an id; an id is set once, at ingest")


def _with_child_ids(stage: Edit, edited: Edited, children: pl.Series) -> pl.DataFrame:
    """Sets the id of each child: hash(parent, stage, ordinal). Edited rows keep theirs."""
    if not children.any():
        return edited.rows
    born = edited.rows.filter(children).select("id", origin=edited.origin.filter(children))
    numbers = born.with_columns(ordinal=pl.int_range(pl.len()).over("origin"))["ordinal"]
    ids = [row_hash(parent, stage.name, str(n)) for parent, n in zip(born["id"], numbers, strict=True)]
    where = children.arg_true()
    return edited.rows.with_columns(edited.rows["id"].scatter(where, pl.Series(ids, dtype=pl.String)))


def _expansions(rows: pl.DataFrame, place: pl.Series, reasons: pl.Series, patch: pl.DataFrame) -> pl.DataFrame:
    """Returns one ``expand`` line for each parent, then one ``born`` line for each child, naming the parent."""
    first = place.is_first_distinct()
    expanded = lines(place.filter(first), rows["id"], "expand", reasons.filter(first))
    born = pl.DataFrame({"row": place, "id": patch["id"], "reason": reasons, "other_id": rows["id"].gather(place)})
    born = born.with_columns(action=pl.lit("born"), score=pl.lit(None, dtype=pl.Float64))
    return pl.concat([expanded, born.select(expanded.columns)])


def _known(stage: RowLocal, reasons: pl.Series) -> None:
    unknown = sorted(set(reasons.drop_nulls().unique().to_list()) - set(stage.reasons))
    if unknown:
        raise StageError(f"stage {stage.name!r} gave the reason {unknown[0]!r}, which it does not declare")
