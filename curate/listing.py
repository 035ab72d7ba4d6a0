"""Listings for the command line: a plan, a stage, the store, as plain lines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from curate.ending import output_is_current
from curate.plan import Plan, PlannedStep
from curate.registry import stage_class
from curate.stage import Composite, Edit, Filter, Score, Select, Stage
from curate.store import Store
from curate.store.store import folder_bytes

_SHAPES: dict[type[Stage], str] = {
    Score: "writes columns",
    Filter: "drops rows",
    Edit: "edits rows",
    Select: "compares rows",
    Composite: "scores and drops rows",
}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yields the plan: sources as they were found, then each step with `cached` or why it will run."""
    data = plan_data(plan)
    yield f"recipe {plan.recipe.name} → {plan.recipe.output}"
    for source in data["sources"]:
        size = source["bytes"] / 1e6
        yield f"  source {source['name']}: {source['files']} file(s), {size:,.1f} MB, {source['shape']}, {source['encoding']}"
        if source["note"]:
            yield f"    {source['note']}"
    width = max(len(step["name"]) for step in data["steps"])
    for step in data["steps"]:
        state = "cached" if step["cached"] else f"to run: {step['why']}"
        yield f"  {step['name']:{width}}  {step['key']}  {state}"


def plan_data(plan: Plan) -> dict[str, Any]:
    """Returns the plan as JSON data."""
    return {
        "recipe": plan.recipe.name,
        "output": plan.recipe.output,
        "sources": [_source(p) for p in plan.of("ingest")],
        "steps": [_step(plan, p) for p in plan.steps],
    }


def _source(planned: PlannedStep) -> dict[str, Any]:
    source = planned.source
    assert source is not None
    columns = ", ".join(f"{ours}={theirs}" for ours, theirs in source.shape.columns.items())
    return {
        "name": source.spec.name,
        "files": len(source.files),
        "bytes": sum(f.size for f in source.files),
        "shape": f"{source.shape.format} ({columns})" if columns else source.shape.format,
        "encoding": source.shape.encoding or "binary",
        "note": source.shape.note,
    }


def _step(plan: Plan, planned: PlannedStep) -> dict[str, Any]:
    done = output_is_current(plan, planned.artifact) if planned.kind == "export" else planned.cached
    why = None if done else _why(plan, planned)
    return {"name": planned.step.name, "key": planned.step.key, "cached": done, "why": why}


def _why(plan: Plan, planned: PlannedStep) -> str:
    if planned.artifact.complete:
        return "the output folder is not the one this recipe made last"
    return plan.why(planned)


def stage_lines(name: str) -> Iterator[str]:
    """Yields a stage's description, parameters and reason codes."""
    cls = stage_class(name)
    shape = next(text for base, text in _SHAPES.items() if issubclass(cls, base))
    yield f"{name} ({shape}): {summary(cls)}"
    yield "parameters:"
    for field, info in cls.model_fields.items():
        yield f"  {field}: {_type_name(info)} = {_default(info)}"
        yield f"      {info.description or ''}"
    yield f"reasons: {', '.join(cls.reasons)}"


def summary(cls: type[Stage]) -> str:
    """Returns the first line of a stage's description."""
    return (cls.__doc__ or "").strip().partition("\n")[0]


def _type_name(info: FieldInfo) -> str:
    choices = [repr(a) for a in get_args(info.annotation) if isinstance(a, str)]
    return " | ".join(choices) if choices else str(getattr(info.annotation, "__name__", info.annotation))


def _default(info: FieldInfo) -> str:
    return "required" if info.is_required() else repr(info.get_default(call_default_factory=True))


def store_lines(store: Store) -> Iterator[str]:
    """Yields one line for each artifact, and the total."""
    total = 0
    for artifact in store.artifacts():
        size = folder_bytes(artifact.folder)
        total += size
        age = (time.time() - artifact.used_at()) / 3600
        state = "complete" if artifact.complete else "begun"
        yield f"{artifact.folder.name:50} {size / 1e6:10,.1f} MB  {state:8}  used {age:,.1f} h ago"
    yield f"{total / 1e6:,.1f} MB in {store.root}"
