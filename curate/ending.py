"""The ending of a run: what every output holds beside its rows, and the rows themselves without a tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import yaml

from curate.card import dataset_card
from curate.executors import Executor
from curate.files import sha256_file, write_bytes, write_json
from curate.places import local_copy, place
from curate.plan import Plan, PlannedStep
from curate.stage import Survey
from curate.steps.accounts import Account, write_accounts, write_findings
from curate.steps.output import MARKER, building_folder, publish, shared_folder
from curate.steps.rows_export import write_rows
from curate.steps.select import CLUSTERS, SWEEP, export_index, has_index, read_clusters, read_sweep
from curate.store import Artifact, RowsView

Work = Generator[int, None, None]


def rows_step(plan: Plan, view: RowsView, planned: PlannedStep, executor: Executor) -> Work:
    """Writes cleaned rows as JSON Lines: the ending of a recipe without a tokenizer."""
    output = place(plan.recipe.output)
    folder = building_folder(output, planned.step.key)
    yield from write_rows(view, shared_folder(folder, output), executor)
    write_indexes(plan, folder, lambda: pl.concat([view.read(i)["group"] for i in range(len(view))]))
    write_json(folder / MARKER, {"rows": len(view), "recipe": hash_of(planned.step.identity)})
    write_texts(plan, folder, dataset_card(plan, None, {}))
    publish_output(plan, planned, folder, {"tally": {}})


def write_indexes(plan: Plan, folder: Path, groups: Callable[[], pl.Series]) -> None:
    """Writes the dedup indexes that were asked for, of the rows in the release."""
    asked = [planned for planned in plan.of("select") if has_index(planned.artifact)]
    present = groups().unique() if asked else pl.Series([], dtype=pl.String)
    for planned in asked:
        export_index(planned.artifact, folder / "dedup" / planned.step.name, present)


def write_texts(plan: Plan, folder: Path, card: str) -> None:
    """Writes what is told of the rows: ledgers, quarantines, clusters, findings, the recipe and the card."""
    sources = [(p.source.spec.name, p.artifact) for p in plan.of("ingest") if p.source]
    write_accounts(folder, sources, accounts(plan))
    for planned in plan.of("select"):
        if planned.aside:
            continue
        write_bytes(folder / "ledger" / f"{planned.step.name}-{CLUSTERS}", read_clusters(planned.artifact))
        if sweep := read_sweep(planned.artifact):
            write_bytes(folder / "ledger" / f"{planned.step.name}-{SWEEP}", sweep)
    for planned in plan.of("rows"):
        if isinstance(planned.stage, Survey):
            write_findings(folder / "ledger", planned.title, planned.artifact)
    write_bytes(folder / "recipe.lock.yaml", recipe_lock(plan).encode())
    write_bytes(folder / "README.md", card.encode())


def publish_output(plan: Plan, planned: PlannedStep, folder: Path, meta: dict[str, Any]) -> None:
    """Puts a finished folder in the output's place and finishes the step."""
    marker = sha256_file(folder / MARKER)
    publish(folder, place(plan.recipe.output))
    planned.artifact.finish(planned.step.identity, {**meta, "marker": marker})


def accounts(plan: Plan) -> list[Account]:
    """Returns the steps that keep a ledger, in order."""
    found = []
    for planned in plan.of("rows", "select", "tokenize", "mix"):
        if planned.artifact.complete:
            parts = planned.artifact.meta["parts"]
            found.append(Account(planned.artifact, parts, planned.step.name, planned.title))
    return found


def recipe_lock(plan: Plan) -> str:
    """Returns the recipe as YAML with every default filled in, inputs by content and not by path, and step keys."""
    recipe = plan.recipe
    data = recipe.model_dump(mode="json", exclude={"sources", "stages", "output", "store", "tokenizer"})
    data["sources"] = [_source_lock(p) for p in plan.of("ingest")]
    data["stages"] = [{s.name: s.model_dump(mode="json", exclude_defaults=True)} for s in recipe.stages]
    data["steps"] = {p.step.name: p.step.key for p in plan.steps}
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _source_lock(planned: PlannedStep) -> dict[str, Any]:
    assert planned.source is not None
    spec = planned.source.spec.model_dump(mode="json", exclude_defaults=True, exclude={"paths"})
    content = orjson.loads(planned.step.identity)["does"]["content"]
    names = planned.artifact.meta["files"]
    return {**spec, "files": [{"name": n, "digest": d} for n, d in zip(names, content, strict=True)]}


def output_is_current(plan: Plan, artifact: Artifact) -> bool:
    """True when the output folder still holds what the finished export put there."""
    marker = place(plan.recipe.output) / MARKER
    return artifact.complete and marker.is_file() and sha256_file(local_copy(marker)) == artifact.meta["marker"]


def only(plan: Plan, kind: Any) -> PlannedStep:
    """Returns the one step of a kind."""
    (found,) = plan.of(kind)
    return found


def hash_of(data: bytes) -> str:
    """Returns the SHA-256 of some bytes as hex."""
    return hashlib.sha256(data).hexdigest()
