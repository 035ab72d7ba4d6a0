"""Nearest rows: vectors of small integers, cells that gather those that point the same way, and exact similarity in them.

    embeddings ─► quantized (int8) ─► cells of faiss, for many rows ─► exact cosine of all pairs of a cell, in blocks

The cosine of two vectors is computed from whole numbers, which sums of 32-bit floats hold exactly, so it is the same
on any machine, whatever the batch, the number of threads or the linear algebra library.
"""

from curate.nearest.cells import cells_for, nearest_cells, trained_cells
from curate.nearest.pairs import LEVEL, MOST_PAIRS, SCALE, Cell, similar_pairs
from curate.nearest.vectors import matrix, packed, quantized

__all__ = [
    "LEVEL",
    "MOST_PAIRS",
    "SCALE",
    "Cell",
    "cells_for",
    "matrix",
    "nearest_cells",
    "packed",
    "quantized",
    "similar_pairs",
    "trained_cells",
]
