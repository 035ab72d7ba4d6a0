"""The release of a run with a tokenizer: split, mixture and pack plan over the pool, and what is put together from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.arrow import series_of
from curate.card import dataset_card
from curate.ending import Work, hash_of, only, publish_output, write_indexes, write_texts
from curate.files import write_json
from curate.mixture.lock import lock_hash
from curate.places import place
from curate.plan import Plan, PlannedStep
from curate.pool import Pool, PoolIndex
from curate.shards.ids import hex_from_ids
from curate.shards.manifest import PackingInfo
from curate.steps.export import Names, Release, copy_tokenizer, write_manifest
from curate.steps.mix import run_mix, stream_rows
from curate.steps.output import building_folder
from curate.steps.pack import packed_rows, run_pack
from curate.steps.split import run_split, training_rows, validation_rows
from curate.tokens.files import read_files, resolve_folder


def open_pool(planned: PlannedStep) -> Pool:
    """Returns the pool of a finished tokenize step."""
    return Pool.open([planned.artifact.part(i) for i in range(planned.artifact.meta["parts"])])


def split_step(plan: Plan, pool: Pool, planned: PlannedStep) -> Work:
    """Chooses the validation rows."""
    yield from run_split(pool.index, planned.artifact, planned.step.identity, plan.recipe.split, plan.recipe.seed)


def mix_step(plan: Plan, pool: Pool, planned: PlannedStep) -> Work:
    """Resolves the mixture."""
    training = training_rows(only(plan, "split").artifact, len(pool))
    key = only(plan, "tokenize").step.key
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
    stream = stream_rows(only(plan, "mix").artifact)
    yield from run_pack(pool.index, stream, planned.artifact, planned.step.identity, plan.recipe.pack)


def release_step(plan: Plan, pool: Pool, planned: PlannedStep) -> Work:
    """Writes the release and puts it in the output's place."""
    output = place(plan.recipe.output)
    folder = building_folder(output, planned.step.key)
    release = _release(plan, pool)
    lock = only(plan, "mix").artifact.meta["lock"]
    assert plan.recipe.tokenizer is not None
    tokenizer = read_files(resolve_folder(plan.recipe.tokenizer))
    made = only(plan, "tokenize").artifact.meta
    names = Names(
        recipe=hash_of(planned.step.identity),
        mix=lock_hash(lock),
        tokenizer_name=_portable_name(plan.recipe.tokenizer),
        tokenizer=tokenizer,
        engine=made["engine"],
        eos=tuple(made["eos"]),
    )
    manifest = write_manifest(folder, release, names)
    yield 1
    copy_tokenizer(folder, tokenizer)
    write_indexes(plan, folder, lambda: _released_groups(pool.index, release))
    write_json(folder / "mix.lock.json", lock)
    tally = tally_release(pool.index, release)
    write_texts(plan, folder, dataset_card(plan, manifest, tally))
    publish_output(plan, planned, folder, {"tally": tally})


def _released_groups(index: PoolIndex, release: Release) -> pl.Series:
    """Returns the groups of the rows that are packed or held out."""
    rows = np.unique(np.concatenate([release.rows, *release.validation.values()]))
    return series_of(hex_from_ids(index.groups[rows]))


def _release(plan: Plan, pool: Pool) -> Release:
    packed = only(plan, "pack").artifact
    rows, bounds = packed_rows(packed)
    held = validation_rows(only(plan, "split").artifact)
    index = pool.index
    validation = {
        name: held[index.ability[held] == code]
        for code, name in enumerate(index.ability_names)
        if (index.ability[held] == code).any()
    }
    spec, meta = plan.recipe.pack, packed.meta
    left_out = only(plan, "mix").artifact.meta["left_out"]
    packing = PackingInfo(length=spec.length, window=spec.window, fill=meta["fill"], ineligible=left_out)
    return Release(pool, only(plan, "tokenize").step.key, rows, bounds, validation, packing)


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


def _portable_name(tokenizer: str) -> str:
    """Returns a hub id as it is, and of a local folder its own name: what is written never depends on where it lies."""
    return Path(tokenizer).name if Path(tokenizer).exists() else tokenizer
