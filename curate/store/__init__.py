"""The store: finished steps by key, their parts, and the rows one reads through them."""

from curate.store.parts import read_frame, read_json, read_rows, write_frame, write_table
from curate.store.slices import cut, read_slice, write_slices
from curate.store.store import Artifact, Store
from curate.store.view import BasePart, RowsView, apply_delta

__all__ = [
    "Artifact",
    "BasePart",
    "RowsView",
    "Store",
    "apply_delta",
    "cut",
    "read_frame",
    "read_json",
    "read_rows",
    "read_slice",
    "write_frame",
    "write_slices",
    "write_table",
]
