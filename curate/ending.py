"""The ending of a run: pool, split, mixture, pack plan and the release put together from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import yaml
from numpy.typing import NDArray

from curate.arrow import series_of
from curate.card import dataset_card
from curate.executors import Executor
from curate.files import sha256_file, write_bytes, write_json
from curate.mixture.lock import lock_hash
from curate.places import local_copy, place
from curate.plan import Plan, PlannedStep
from curate.pool import Pool, PoolIndex
from curate.shards.ids import hex_from_ids
from curate.shards.manifest import PackingInfo
from curate.stage import Survey
from curate.steps.accounts import Account, write_findings
from curate.steps.export import (
    Names,
    Release,
    copy_tokenizer,
    write_accounts,
    write_manifest,
)
from curate.steps.mix import run_mix, stream_rows
from curate.steps.output import MARKER, building_folder, publish, shared_folder
from curate.steps.pack import packed_rows, run_pack
from curate.steps.rows_export import write_rows
from curate.steps.select import CLUSTERS, SWEEP, export_index, has_index, read_clusters, read_sweep
from curate.steps.split import run_split, training_rows, validation_rows
from curate.store import Artifact, RowsView
from curate.tokens.files import read_files, resolve_folder

Work = Generator[int, None, None]


def open_pool(planned: PlannedStep) -> Pool:
    """Returns the pool of a finished tokenize step."""
    return Pool.open([planned.artifact.part(i) for i in range(planned.artifact.meta["parts"])])


def split_step(plan: Plan, pool: Pool, planned: PlannedStep) -> Work:
    """Chooses the validation rows."""
    yield from run_split(pool.index, planned.artifact, planned.step.identity, plan.recipe.split, plan.recipe.seed)


def mix_step(plan: Plan, pool: Pool, planned: PlannedStep) -> Work:
    """Resolves the mixture."""
    training = training_rows(_only(plan, "split").artifact, len(pool))
    key = _only(plan, "tokenize").step.key
    recipe = plan.recipe
    yield from run_mix(
        pool,
        training,
        planned.artifact,
        planned.step.identity,
        recipe.mix,
        recipe.seed,
        key,
        recipe.pack.length,
    )


def pack_step(plan: Plan, pool: Pool, planned: PlannedStep) -> Work:
    """Packs the mixture's stream."""
    stream = stream_rows(_only(plan, "mix").artifact)
    yield from run_pack(pool.index, stream, planned.artifact, planned.step.identity, plan.recipe.pack)


def release_step(plan: Plan, pool: Pool, planned: PlannedStep) -> Work:
    """Writes the release and puts it in the output's place."""
    output = place(plan.recipe.output)
    folder = building_folder(output, planned.step.key)
    release = _release(plan, pool)
    lock = _only(plan, "mix").artifact.meta["lock"]
    assert plan.recipe.tokenizer is not None
    tokenizer = read_files(resolve_folder(plan.recipe.tokenizer))
    made = _only(plan, "tokenize").artifact.meta
    names = Names(
        recipe=_hash(planned.step.identity),
        mix=lock_hash(lock),
        tokenizer_name=_portable_name(plan.recipe.tokenizer),
        tokenizer=tokenizer,
        engine=made["engine"],
        eos=tuple(made["eos"]),
    )
    manifest = write_manifest(folder, release, names)
    yield 1
    copy_tokenizer(folder, tokenizer)
    _write_indexes(plan, folder, lambda: _released_groups(pool.index, release))
    write_json(folder / "mix.lock.json", lock)
    tally = tally_release(pool.index, release)
    _write_texts(plan, folder, dataset_card(plan, manifest, tally))
    _publish(plan, planned, folder, {"tally": tally})


def rows_step(plan: Plan, view: RowsView, planned: PlannedStep, executor: Executor) -> Work:
    """Writes cleaned rows as JSON Lines: the ending of a recipe without a tokenizer."""
    output = place(plan.recipe.output)
    folder = building_folder(output, planned.step.key)
    yield from write_rows(view, shared_folder(folder, output), executor)
    _write_indexes(plan, folder, lambda: pl.concat([view.read(i)["group"] for i in range(len(view))]))
    write_json(folder / MARKER, {"rows": len(view), "recipe": _hash(planned.step.identity)})
    _write_texts(plan, folder, dataset_card(plan, None, {}))
    _publish(plan, planned, folder, {"tally": {}})


def _write_indexes(plan: Plan, folder: Path, groups: Callable[[], pl.Series]) -> None:
    """Writes the dedup indexes that were asked for, of the rows in the release."""
    asked = [planned for planned in plan.of("select") if has_index(planned.artifact)]
    present = groups().unique() if asked else pl.Series([], dtype=pl.String)
    for planned in asked:
        export_index(planned.artifact, folder / "dedup" / planned.step.name, present)


def _released_groups(index: PoolIndex, release: Release) -> pl.Series:
    """Returns the groups of the rows that are packed or held out."""
    rows = np.unique(np.concatenate([release.rows, *release.validation.values()]))
    return series_of(hex_from_ids(index.groups[rows]))


def _write_texts(plan: Plan, folder: Path, card: str) -> None:
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


def _publish(plan: Plan, planned: PlannedStep, folder: Path, meta: dict[str, Any]) -> None:
    marker = sha256_file(folder / MARKER)
    publish(folder, place(plan.recipe.output))
    planned.artifact.finish(planned.step.identity, {**meta, "marker": marker})


def _release(plan: Plan, pool: Pool) -> Release:
    packed = _only(plan, "pack").artifact
    rows, bounds = packed_rows(packed)
    held = validation_rows(_only(plan, "split").artifact)
    index = pool.index
    validation = {
        name: held[index.ability[held] == code]
        for code, name in enumerate(index.ability_names)
        if (index.ability[held] == code).any()
    }
    spec, meta = plan.recipe.pack, packed.meta
    left_out = _only(plan, "mix").artifact.meta["left_out"]
    packing = PackingInfo(length=spec.length, window=spec.window, fill=meta["fill"], ineligible=left_out)
    return Release(pool, _only(plan, "tokenize").step.key, rows, bounds, validation, packing)


def tally_release(index: PoolIndex, release: Release) -> dict[str, Any]:
    """Returns for each source: rows and trained tokens in the pool, held out, and packed; and passes over its rows."""
    held = np.concatenate([np.empty(0, np.int64), *release.validation.values()]).astype(np.int64)
    everything = np.arange(len(index))
    tally: dict[str, Any] = {}
    for code, name in enumerate(index.source_names):
        entry: dict[str, int] = {}
        for kind, rows in (("pool", everything), ("validation", held), ("packed", release.rows)):
            mine = rows[index.source[rows] == code]
            entry |= {
                f"{kind}_rows": int(mine.size),
                f"{kind}_unique": int(np.unique(mine).size),
                f"{kind}_tokens": _sum(index.n_tokens, mine),
                f"{kind}_trained": _sum(index.n_trained, mine),
            }
        tally[name] = entry
    return tally


def _sum(column: NDArray[np.int32], rows: NDArray[np.int64]) -> int:
    return int(column[rows].sum(dtype=np.int64))


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


def _only(plan: Plan, kind: Any) -> PlannedStep:
    (found,) = plan.of(kind)
    return found


def _portable_name(tokenizer: str) -> str:
    """Returns a hub id as it is, and of a local folder its own name: what is written never depends on where it lies."""
    return Path(tokenizer).name if Path(tokenizer).exists() else tokenizer


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
