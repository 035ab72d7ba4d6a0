"""Stages: frozen models that only propose what should happen to rows; the runner applies it and writes the ledger."""

from curate.stage.select import INDEX_FILE, Reference, Select, Sketch
from curate.stage.shapes import (
    DROPS,
    NOTES,
    Composite,
    Edit,
    Edited,
    Filter,
    Only,
    RowLocal,
    Score,
    Stage,
)
from curate.stage.survey import Survey, Surveyed
from curate.stage.turn_edit import TurnEdit

__all__ = [
    "DROPS",
    "INDEX_FILE",
    "NOTES",
    "Composite",
    "Edit",
    "Edited",
    "Filter",
    "Only",
    "Reference",
    "RowLocal",
    "Score",
    "Select",
    "Sketch",
    "Stage",
    "Survey",
    "Surveyed",
    "TurnEdit",
]
