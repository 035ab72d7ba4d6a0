"""Packing: a pack plan says which documents of a stream share a sequence; no token is touched.

    stream of lengths ─► windows ─► best-fit decreasing in each window ─► order, bounds, ineligible

``curate.packing.plan`` and ``curate.packing.kernels`` run compiled loops and load numba; this module does not.
"""

from __future__ import annotations

from curate.packing.spec import PackSpec

__all__ = ["PackSpec"]
