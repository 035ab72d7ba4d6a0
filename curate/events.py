"""Events: what a run tells of the steps it takes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Literal

from curate import ending
from curate.plan import Plan, PlannedStep

Events = Generator["Event", None, None]


@dataclass(frozen=True)
class Event:
    """Something that happened: a step began (``total`` pieces of work), advanced by one piece, ended, or was cached."""

    kind: Literal["begin", "advance", "end", "cached"]
    name: str
    total: int = 0


def tell(planned: PlannedStep, total: int, work: Iterator[int]) -> Events:
    """Does the work of a step, telling of each piece."""
    name = planned.step.name
    yield Event("begin", name, total)
    for _ in work:
        yield Event("advance", name)
    yield Event("end", name)


def cached_or(plan: Plan, planned: PlannedStep, work: Callable[[PlannedStep], Iterator[int]], total: int) -> Events:
    """Does the work of a step that is not in the store, telling of each piece; or says that it is there."""
    done = ending.output_is_current(plan, planned.artifact) if planned.kind == "export" else planned.cached
    if done:
        planned.artifact.touch()
        yield Event("cached", planned.step.name)
    else:
        yield from tell(planned, total, work(planned))
