"""The plan: a recipe's steps with their keys, which are in the store, and why the others are not."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import orjson

from curate.embedding import ModelRef, model_digest
from curate.errors import RecipeError, SourceError
from curate.files import Digests
from curate.fingerprint import Digester, FileRef, canonical
from curate.places import is_remote, place
from curate.recipe import Recipe
from curate.sources import READER_VERSION, SourceFile, SourceSpec, detect, resolve
from curate.stage import Composite, Score, Select, Stage
from curate.step import Step, make_step, why_changed
from curate.steps.ingest import Source
from curate.store import Artifact, Store
from curate.tokens.files import TOKENIZER_JSON, read_files, resolve_folder

POOL_COLUMNS = 2
"""Raised whenever a pool holds other columns for the same rows."""

_FILE_SUFFIXES = {
    ".txt",
    ".tsv",
    ".csv",
    ".json",
    ".jsonl",
    ".yaml",
    ".yml",
    ".gz",
    ".zst",
    ".parquet",
    ".arrow",
    ".xlsx",
}
"""What names a file and no tokenizer of a hub, also when there is no such file."""

_HERE = Path(".curate")
"""Where digests are remembered for a remote store: paths and inodes mean nothing to other machines."""

StepKind = Literal["ingest", "rows", "select", "tokenize", "split", "mix", "pack", "export"]


@dataclass(frozen=True)
class PlannedStep:
    """One step of a plan."""

    kind: StepKind
    step: Step
    artifact: Artifact
    source: Source | None = None
    stage: Stage | None = None
    title: str = ""
    """What tables call it: a composite's parts share its name."""

    @property
    def aside(self) -> bool:
        """True when what the step makes is for the next parts of a composite alone."""
        stage = self.stage
        return (isinstance(stage, Score) and stage.aside) or (isinstance(stage, Select) and stage.phase == "find")

    @property
    def cached(self) -> bool:
        """True when the store holds the finished step."""
        return self.artifact.complete


@dataclass(frozen=True)
class Plan:
    """A recipe's steps, in order, and the store they live in."""

    recipe: Recipe
    store: Store
    steps: tuple[PlannedStep, ...]
    digests: Digests

    def of(self, *kinds: StepKind) -> list[PlannedStep]:
        """Returns the steps of some kinds, in order."""
        return [s for s in self.steps if s.kind in kinds]

    @cached_property
    def last(self) -> PlannedStep:
        """The step whose key names the whole result."""
        return self.steps[-1]

    def why(self, planned: PlannedStep) -> str:
        """Returns in words why a step is not in the store."""
        for earlier in self.store.named(planned.step.name):
            before = orjson.dumps(earlier.meta["identity"], option=orjson.OPT_SORT_KEYS)
            if before != planned.step.identity:
                return why_changed(before, planned.step.identity)
        return "begun, not finished" if planned.artifact.folder.is_dir() else "never run"


def make_plan(recipe: Recipe) -> Plan:
    """Returns the plan of a recipe: inputs are looked for and their first records read, nothing is run.

    Raises:
        SourceError: for a missing or unreadable input, before any work.
        RecipeError: for a stage that asks for what the recipe does not give.
    """
    store = Store(place(recipe.store))
    digests = Digests((_HERE if is_remote(store.root) else store.root) / "digests.json")
    steps = tuple(_steps(recipe, store, digests))
    digests.save()
    return Plan(recipe, store, steps, digests)


def _steps(recipe: Recipe, store: Store, digests: Digests) -> Iterator[PlannedStep]:
    names: dict[str, int] = {}

    def planned(kind: StepKind, name: str, does: Any, inputs: tuple[Step, ...], **more: Any) -> PlannedStep:
        names[name] = names.get(name, 0) + 1
        unique = name if names[name] == 1 else f"{name}-{names[name]}"
        step = make_step(unique, does, inputs)
        return PlannedStep(kind, step, store.artifact(step.folder), **{"title": unique, **more})

    heads: list[Step] = []
    for spec in recipe.sources:
        source, does = read_source(spec, digests)
        if recipe.tokenizer is not None and source.shape.format in ("preference", "kto"):
            raise RecipeError(
                f"source {spec.name!r} holds {source.shape.format} rows, which supervised shards can't hold; take it "
                "out, or leave `tokenizer:` out of the recipe to end with cleaned rows"
            )
        yield (made := planned("ingest", f"ingest-{spec.name}", does, (), source=source))
        heads.append(made.step)
    before = tuple(heads)
    for title, stage in flat_stages(recipe):
        stage.check()
        kind: StepKind = "select" if isinstance(stage, Select) else "rows"
        yield (made := planned(kind, stage.name, stage_identity(stage, digests), before, stage=stage, title=title))
        before = (made.step,)
    for kind, does in _ending(recipe, digests):
        yield (made := planned(kind, kind, does, before))
        before = (made.step,)


def read_source(spec: SourceSpec, digests: Digests) -> tuple[Source, Any]:
    """Returns a source ready to read, and what its ingest step is made of: its spec less its path, and its content."""
    files = tuple(resolve(spec))
    shape = detect(spec, files)
    content = [_file_digest(file, digests) for file in files]
    fields = canonical(spec.model_copy(update={"paths": ()}), digests)
    encodings = [file.encoding for file in files]
    seen = {"format": shape.format, "columns": shape.columns, "encodings": encodings}
    does = {"reader": READER_VERSION, "spec": fields, "shape": seen, "content": content}
    return Source(spec, files, shape), does


def _file_digest(file: SourceFile, digests: Digests) -> str:
    return digests.remote(file.path) if file.remote else digests(file.path)


def flat_stages(recipe: Recipe) -> Iterator[tuple[str, Stage]]:
    """Yields (title, stage) with composites taken apart and the recipe's tokenizer filled in."""
    names = [stage.name for stage in recipe.stages]
    for index, stage in enumerate(recipe.stages):
        nth = names[:index].count(stage.name)
        title = stage.name if not nth else f"{stage.name}-{nth + 1}"
        if stage.needs_tokenizer and getattr(stage, "tokenizer", None) is None:
            if recipe.tokenizer is None:
                raise RecipeError(
                    f"stages.{index}: stage {stage.name!r} counts tokens; name a `tokenizer:` in the recipe or in the stage"
                )
            stage = stage.model_copy(update={"tokenizer": FileRef(recipe.tokenizer)})
        for part in stage.parts() if isinstance(stage, Composite) else (stage,):
            yield title, part


def stage_identity(stage: Stage, digests: Digests) -> dict[str, Any]:
    """Returns what a stage is, for its key: class, version, parameters, libraries; for a plugin its module's hash."""
    module = inspect.getmodule(type(stage))
    built_in = type(stage).__module__.startswith("curate.")
    code = None if built_in or module is None else hashlib.sha256(inspect.getsource(module).encode()).hexdigest()
    return {
        "stage": stage.name,
        "version": type(stage).version,
        "parameters": _parameters(stage, digests),
        "libraries": {name: _version(name) for name in type(stage).libraries},
        "code": code,
    }


def _parameters(stage: Stage, digests: Digests) -> Any:
    try:
        return canonical(stage, content_digester(digests))
    except SourceError as error:
        raise RecipeError(f"stage {stage.name!r}: {error}") from error


def content_digester(digests: Digests) -> Digester:
    """Returns a digester that knows a tokenizer's folder by the files that make its tokens, and not by its weights.

    An embedding model is known by its weights too; the files of a pattern or URL by their own names and content.
    """

    def digest(name: str) -> str:
        if isinstance(name, ModelRef):
            return model_digest(name, digests)
        path = Path(name)
        if "://" in name or any(mark in name for mark in "*?["):
            files = resolve(SourceSpec(name="parameter", paths=(name,)))
            found = [(Path(file.path).name, _file_digest(file, digests)) for file in files]
            return hashlib.sha256(orjson.dumps(found)).hexdigest()
        plain = path.suffix in _FILE_SUFFIXES if not path.exists() else not (path / TOKENIZER_JSON).is_file()
        if plain:
            return digests(name)
        return read_files(resolve_folder(name)).digest()

    return digest


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"


def _ending(recipe: Recipe, digests: Digests) -> Iterator[tuple[StepKind, Any]]:
    """Yields the steps after the stages: pool, split, mixture, pack plan and export, or rows alone."""
    if recipe.tokenizer is None:
        yield "export", {"rows": True}
        return
    tokenize = {
        "tokenizer": canonical(recipe.tokenizer, content_digester(digests)),
        "tokenize": canonical(recipe.tokenize, digests),
        "columns": POOL_COLUMNS,
        "libraries": {name: _version(name) for name in ("tokenizers", "fastokens")},
    }
    yield "tokenize", tokenize
    yield "split", {"split": canonical(recipe.split, digests), "seed": recipe.seed}
    yield "mix", {"mix": canonical(recipe.mix, digests), "seed": recipe.seed, "longest": recipe.pack.length}
    yield "pack", {"pack": canonical(recipe.pack, digests)}
    yield "export", {"name": recipe.name, "max_quarantine": recipe.max_quarantine}
